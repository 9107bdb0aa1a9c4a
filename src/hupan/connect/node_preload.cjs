// Loaded by Node before the program of `hupan sandbox run`: leads the built-in names to the sandbox.
//
// Node's fetch reads a proxy from the environment since 24 (and 22.21), its https module since 24.5;
// sockets of other libraries never do. Without this they would go to the public service.
"use strict";

const net = require("node:net");

const { names, ports } = JSON.parse(process.env.HUPAN_NODE_ROUTES);
const known = new Set(names);
const connect = net.Socket.prototype.connect;

function isLocal(host) {
  return host === "localhost" || host === "::1" || (net.isIPv4(host) && host.startsWith("127."));
}

// The ways to call connect: (options), (path), (port), (port, host), and the library's own list.
function optionsOf([first, second]) {
  if (typeof first === "object" && first !== null) return first;
  if (Number.isNaN(Number(first))) return { path: first };
  return { port: first, host: typeof second === "string" ? second : undefined };
}

function refuse(socket, host) {
  process.stderr.write(`hupan sandbox run: refused a connection to ${JSON.stringify(host)}\n`);
  const error = new Error(`hupan sandbox run refused a connection to ${host}`);
  process.nextTick(() => socket.destroy(Object.assign(error, { code: "ECONNREFUSED" })));
  return socket;
}

net.Socket.prototype.connect = function (...parameters) {
  const list = Array.isArray(parameters[0]) ? parameters[0] : parameters;
  const options = optionsOf(list);
  const host = String(options.host || "localhost").toLowerCase().replace(/\.$/, "");
  const port = ports[options.port];
  if (options.path || port === undefined || isLocal(host)) {
    return connect.apply(this, parameters);
  }
  if (!known.has(host)) return refuse(this, host);
  const callbacks = list.filter((parameter) => typeof parameter === "function");
  const target = { ...options, host: "127.0.0.1", port };
  return connect.apply(this, [target, ...callbacks]);
};
