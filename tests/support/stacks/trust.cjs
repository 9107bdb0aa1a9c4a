// Shakes hands with each of PORT=NAME on this machine, and prints what came of it.
const net = require("node:net");
const tls = require("node:tls");

function shakeHands(port, name) {
  return new Promise((resolve, reject) => {
    const plain = net.connect(port, "127.0.0.1");
    plain.on("error", reject);
    const servername = net.isIP(name) ? "" : name;
    const socket = tls.connect({ socket: plain, host: name, servername });
    socket.on("secureConnect", () => resolve("accepted"));
    socket.on("error", (error) =>
      /^(CERT_|ERR_TLS_CERT|UNABLE_|SELF_|INVALID_|PATH_|UNSPECIFIED)/.test(error.code) ? resolve("refused") : reject(error),
    );
  });
}

(async () => {
  for (const target of process.argv.slice(2)) {
    const [port, name] = target.split("=");
    console.log(await shakeHands(Number(port), name));
  }
  process.exit(0);
})();
