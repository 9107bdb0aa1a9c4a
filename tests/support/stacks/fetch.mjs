// Posts to a URL again and again with Node's fetch, and prints what each time came of it.
const [url, count] = process.argv.slice(2);

async function post() {
  let response, bytes;
  try {
    response = await fetch(url, { method: "POST", body: "{}", signal: AbortSignal.timeout(2000) });
    bytes = await response.arrayBuffer();
  } catch (error) {
    return error.name === "TimeoutError" ? "timeout" : "failed";
  }
  if (response.status !== 200) return String(response.status);
  try {
    return String(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)).code);
  } catch {
    return "undecodable";
  }
}

for (let i = 0; i < Number(count); i++) console.log(await post());
