// An account server made of better-auth: SQLite, argon2id off the event loop, tokens as bearers.
//
//   node server.mjs fill COUNT PASSWORD | node server.mjs serve PORT
//
// The store is store.db in the folder that it is run in.

import { createHmac } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { hash, verify } from "@node-rs/argon2";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { fromNodeHeaders, toNodeHandler } from "better-auth/node";
import { bearer } from "better-auth/plugins";
import Database from "better-sqlite3";

const [job, number, password] = process.argv.slice(2);
const ARGON2ID = { algorithm: 2, memoryCost: 19456, timeCost: 2, parallelism: 1 };
const YEAR = 365 * 86400;
const PROFILE = "/profiles/";

// Made when the store is filled: sessions are signed with it.
const secret = job === "fill" ? crypto.randomUUID() + crypto.randomUUID() : readFileSync("secret", "utf8");
const database = new Database("store.db");
database.pragma("journal_mode = WAL");
database.pragma("synchronous = FULL");

const options = {
  baseURL: job === "serve" ? `http://127.0.0.1:${number}` : "http://127.0.0.1",
  secret,
  database,
  logger: { disabled: true },
  telemetry: { enabled: false },
  rateLimit: { enabled: false },
  session: { expiresIn: YEAR, updateAge: YEAR },
  emailAndPassword: {
    enabled: true,
    password: {
      hash: (plain) => hash(plain, ARGON2ID),
      verify: (tried) => verify(tried.hash, tried.password),
    },
  },
  plugins: [bearer()],
};
const auth = betterAuth(options);

// What a client gets as set-auth-token when it signs in.
function signed(token) {
  const mac = createHmac("sha256", secret).update(token).digest("base64");
  return encodeURIComponent(`${token}.${mac}`);
}

async function fill(count) {
  await (await getMigrations(options)).runMigrations();
  writeFileSync("secret", secret, { mode: 0o600 });
  const { internalAdapter } = await auth.$context;
  const stored = await hash(password, ARGON2ID);
  const made = [];
  for (let n = 0; n < count; n += 1) {
    const [name, email] = [`bench-${n}`, `bench-${n}@example.org`];
    const user = await internalAdapter.createUser({ name, email, emailVerified: true });
    const link = { userId: user.id, accountId: user.id, providerId: "credential" };
    await internalAdapter.linkAccount({ ...link, password: stored });
    const session = await internalAdapter.createSession(user.id);
    made.push([user.id, name, email, signed(session.token)]);
  }
  writeFileSync("accounts.json", JSON.stringify(made));
}

// The library has no door to another's profile: the nearest is its own reading of a user.
async function profile(request, response) {
  const caller = await auth.api.getSession({ headers: fromNodeHeaders(request.headers) });
  const { internalAdapter } = await auth.$context;
  const found = caller && (await internalAdapter.findUserById(request.url.slice(PROFILE.length)));
  response.writeHead(caller ? (found ? 200 : 404) : 401, { "content-type": "application/json" });
  response.end(JSON.stringify(found ? { id: found.id, name: found.name } : {}));
}

function serve(port) {
  const library = toNodeHandler(auth);
  const server = createServer((request, response) =>
    request.url.startsWith(PROFILE) ? profile(request, response) : library(request, response),
  );
  server.keepAliveTimeout = 60_000;
  server.listen(port, "127.0.0.1");
}

if (job === "fill") await fill(Number(number));
else serve(Number(number));
