// Copies what stands beside a button, and takes the focus to what went wrong.
const COPIED_FOR = 2000;

async function write(text, source) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return true;
  }
  getSelection().selectAllChildren(source);
  return document.execCommand("copy"); // a plain http address has no clipboard
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button || button.dataset.copied !== undefined) return;
  const source = document.getElementById(button.dataset.copy);
  const said = document.getElementById("said");
  let isCopied = false;
  try {
    isCopied = await write(source.textContent, source);
  } catch {
    getSelection().selectAllChildren(source);
  }
  const text = isCopied ? said.dataset.copied : said.dataset.failed;
  const label = button.querySelector("[data-label]");
  const usual = label.textContent;
  button.dataset.copied = "";
  label.textContent = text;
  said.textContent = text;
  setTimeout(() => {
    delete button.dataset.copied;
    label.textContent = usual;
    said.textContent = "";
  }, COPIED_FOR);
});

document.documentElement.classList.add("js");
document.getElementById("problem")?.focus();
