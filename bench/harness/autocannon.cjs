// Sends the requests of a file in turn with autocannon and prints what it saw as one line of JSON.
// node autocannon.cjs FOLDER_OF_AUTOCANNON URL CONNECTIONS SECONDS FILE
// The file: a JSON array of {method, path, headers, body}, the body in base64.
const { readFileSync } = require("node:fs");
const { join } = require("node:path");

const [folder, url, connections, seconds, file] = process.argv.slice(2);
const autocannon = require(join(folder, "node_modules", "autocannon"));
const all = JSON.parse(readFileSync(file, "utf8")).map((one) => ({
  ...one,
  body: Buffer.from(one.body, "base64"),
}));
let at = 0;
let refused = 0;

const turn = {
  setupRequest: (request) => ({ ...request, ...all[at++ % all.length] }),
  onResponse: (status, body, context, headers) => {
    const result = headers["x-result"];
    if (status === 200 && result && result !== "ok") refused += 1;
  },
};

autocannon(
  { url, connections: Number(connections), duration: Number(seconds), requests: [turn] },
  (error, seen) => {
    if (error) throw error;
    const { latency, duration } = seen;
    console.log(
      "RESULT " +
        JSON.stringify({
          answered: seen["2xx"] + seen.non2xx,
          status: seen.non2xx,
          refused,
          failed: seen.errors + seen.timeouts,
          seconds: duration,
          p50_ms: latency.p50,
          p99_ms: latency.p99,
        }),
    );
  },
);
