-- Sends the requests of a file in turn and counts the answers that are refusals with HTTP 200.
-- The file: eight decimal digits that say how long a request is, then the request, and so on.
-- After it, how many answers end the round, 0 for as many as come in its time.

local ffi = require("ffi")
ffi.cdef("typedef struct { long seconds; long nanoseconds; } hupan_time; "
  .. "int clock_gettime(int clock, hupan_time *now);")

local MONOTONIC = 1
local now = ffi.new("hupan_time")
local requests, at = {}, 0
local threads = {}
local most, answered = 0, 0
refused, first, last = 0, 0, 0

local function seconds()
  ffi.C.clock_gettime(MONOTONIC, now)
  return tonumber(now.seconds) + tonumber(now.nanoseconds) / 1e9
end

function setup(thread)
  table.insert(threads, thread)
end

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  while true do
    local size = file:read(8)
    if not size then break end
    requests[#requests + 1] = file:read(tonumber(size))
  end
  file:close()
  most = tonumber(arguments[2])
end

-- wrk asks for one before the round begins, to see whether it is well-formed.
function request()
  if at == 1 and first == 0 then first = seconds() end
  at = at % #requests + 1
  return requests[at]
end

function response(status, headers, body)
  local result = headers["x-result"]
  if status == 200 and result and result ~= "ok" then
    refused = refused + 1
  end
  answered = answered + 1
  if most > 0 then
    last = seconds()
    if answered == most then wrk.thread:stop() end
  end
end

function done(summary, latency, _)
  local thread = threads[1]
  local lasted = summary.duration / 1e6
  if thread:get("last") > 0 then
    lasted = thread:get("last") - thread:get("first")
  end
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"answered": %d, "status": %d, "refused": %d, "failed": %d, "seconds": %.6f, '
    .. '"p50_ms": %.4f, "p99_ms": %.4f}\n',
    summary.requests, errors.status, thread:get("refused"),
    errors.connect + errors.read + errors.write + errors.timeout,
    lasted, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
