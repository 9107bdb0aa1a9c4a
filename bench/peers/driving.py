"""Drive a server with wrk: requests are prepared, and responses are checked first."""

import itertools
from collections.abc import Sequence
from pathlib import Path

from bench.loading import Round, load
from bench.peers.peer import Call, Unavailable

TURNS = """
local asked = {%s}
local at = 0
request = function()
  at = at %% #asked + 1
  return asked[at]
end
"""
# wrk's own summary lists HTTP errors; a refusal with status 200 is as bad.
LOOKING = """
wrong = 0
response = function(status, headers, body)
  if status ~= 200 or not body:find(%s, 1, true) then wrong = wrong + 1 end
end
local threads = {}
setup = function(thread) table.insert(threads, thread) end
done = function()
  for _, thread in ipairs(threads) do
    if thread:get("wrong") > 0 then io.write("Non-2xx or wrong: ", thread:get("wrong"), "\\n") end
  end
end
"""


def drive(
    port: int, calls: Sequence[Call], script: Path, *, connections: int, seconds: int
) -> Round:
    """Run one round of load; the calls alternate.

    Raises:
        Unavailable: a response was an error, or a connection broke.
    """
    script.write_text(TURNS % _requests(port, calls), "ascii")
    return _load(port, script, connections, seconds)


def warm_up(
    port: int, calls: Sequence[Call], script: Path, *, connections: int, seconds: int
) -> Round:
    """Run one round of load and check every response.

    Raises:
        Unavailable: a response was wrong, or a connection broke.
    """
    proof = _beginning([call.proof for call in calls])
    looking = LOOKING % _lua(proof.encode())
    script.write_text(TURNS % _requests(port, calls) + looking, "ascii")
    return _load(port, script, connections, seconds)


def _beginning(texts: Sequence[str]) -> str:
    """Return the common start of all scripts."""
    alike = itertools.takewhile(lambda same: len(set(same)) == 1, zip(*texts, strict=False))
    return "".join(same[0] for same in alike)


def _load(port: int, script: Path, connections: int, seconds: int) -> Round:
    options = [f"-c{connections}", f"-d{seconds}", "--timeout", "60s", "-s", str(script)]
    try:
        return load(port, *options)
    except SystemExit as error:
        raise Unavailable(f"under load: {str(error).strip().splitlines()[-1]}") from error


def _requests(port: int, calls: Sequence[Call]) -> str:
    return ",\n".join(_lua(_request(port, call)) for call in calls)


def _request(port: int, call: Call) -> bytes:
    """Return a request as sent over the wire."""
    headers = {"Host": f"127.0.0.1:{port}", **call.headers}
    if call.method != "GET":
        headers["content-length"] = str(len(call.body))
    lines = [f"{call.method} {call.path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + call.body


def _lua(text: bytes) -> str:
    """Return a Lua string literal of any bytes."""
    return '"' + "".join(f"\\{byte:03d}" for byte in text) + '"'
