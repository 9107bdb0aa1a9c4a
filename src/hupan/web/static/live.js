// Keeps the live parts of a page current: the server says that something changed, the page asks for
// itself again and takes over what is new. A row that is in use stays as it is.
const SOON = 80;
const NOW_AND_THEN = 20_000;
const root = document.documentElement;
let stream = null;
let timer = 0;
let busy = false;
let again = false;

function inUse(row) {
  const selection = document.getSelection();
  return (
    row.contains(document.activeElement) ||
    row.querySelector("details[open], [data-copied]") !== null ||
    (selection !== null && !selection.isCollapsed && selection.containsNode(row, true))
  );
}

function replacePart(region, next) {
  if (region.querySelector("[data-copied]")) return;
  const active = region.contains(document.activeElement) ? document.activeElement : null;
  const twin = active?.id || active?.dataset.copy;
  region.replaceChildren(...next.childNodes);
  if (!twin) return;
  const name = CSS.escape(twin);
  region.querySelector(`#${name}, [data-copy="${name}"]`)?.focus({ preventScroll: true });
}

function takeOver(region, next) {
  const known = new Map();
  for (const row of region.querySelectorAll("[data-key]")) known.set(row.dataset.key, row);
  if (region.dataset.live !== "rows" || !known.size || !next.querySelector("[data-key]")) {
    replacePart(region, next);
    return next.querySelector("[data-key]") !== null;
  }
  let isNews = false;
  const rows = [...next.querySelectorAll("[data-key]")];
  const parent = known.values().next().value.parentElement;
  const kept = rows.map((row) => {
    const old = known.get(row.dataset.key);
    if (old && (old.isEqualNode(row) || inUse(old))) return old;
    if (!old) {
      isNews = true;
      row.classList.add("new");
    }
    return row;
  });
  const keys = new Set(rows.map((row) => row.dataset.key));
  for (const [key, old] of known) if (!keys.has(key)) old.remove();
  let place = parent.firstElementChild;
  for (const row of kept) {
    const old = known.get(row.dataset.key);
    if (!old) parent.insertBefore(row, place);
    else if (old !== row) old.replaceWith(row);
    place = row.nextElementSibling;
  }
  return isNews;
}

function show(page) {
  let isNews = false;
  for (const region of document.querySelectorAll("[data-live]")) {
    const next = page.getElementById(region.id);
    if (next && !region.isEqualNode(next)) isNews = takeOver(region, next) || isNews;
  }
  const news = document.getElementById("news");
  if (isNews && news) news.textContent = news.dataset.text;
}

function refresh() {
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  const request = new XMLHttpRequest();
  request.open("GET", location.href);
  request.responseType = "document";
  request.onloadend = () => {
    busy = false;
    if (request.status === 200 && request.response) show(request.response);
    if (again) {
      again = false;
      later(SOON);
    }
  };
  request.send();
}

function later(pause) {
  clearTimeout(timer);
  timer = setTimeout(() => {
    refresh();
    later(NOW_AND_THEN);
  }, pause);
}

function connect() {
  if (stream || document.hidden) return;
  stream = new EventSource(root.dataset.changes);
  stream.onopen = () => later(SOON);
  stream.onmessage = () => later(SOON);
}

function disconnect() {
  stream?.close();
  stream = null;
  clearTimeout(timer);
}

if (root.dataset.changes && document.querySelector("[data-live]")) {
  document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
  addEventListener("pagehide", disconnect);
  addEventListener("pageshow", connect);
  connect();
}
