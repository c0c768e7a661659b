-- What wrk sends, and what it reports. Settings come from the environment:
-- BENCH_BODY (a file: post it as check-ins; unset: plain GETs), BENCH_CLOSE=1.
-- The last line it prints is "BENCH " and a JSON object.

local DEVICES = 1000
local FIXTURE_MAC, FIXTURE_UUID = "30:ed:a0:00:00:00", "7b94d69a-9808-4c59-9c9b-000000000000"

local function replace(text, from, to)
   return (text:gsub((from:gsub("%p", "%%%0")), to))
end

-- Check-ins of many devices, so that no server sees one single device all the
-- time. All are of one size, and made before the clock starts.
local function checkins(path)
   local file = assert(io.open(path, "rb"))
   local body = file:read("*a")
   file:close()
   local made = {}
   for i = 1, DEVICES do
      local mac = string.format("30:ed:a0:00:%02x:%02x", math.floor(i / 256), i % 256)
      local uuid = string.format("7b94d69a-9808-4c59-9c9b-%012x", i)
      local headers = {
         ["Device-Id"] = mac,
         ["Client-Id"] = uuid,
         ["User-Agent"] = "bench-board/1.5.6",
         ["Accept-Language"] = "zh-CN",
         ["Activation-Version"] = "1",
         ["Content-Type"] = "application/json",
      }
      if os.getenv("BENCH_CLOSE") then headers["Connection"] = "close" end
      local own = replace(replace(body, FIXTURE_MAC, mac), FIXTURE_UUID, uuid)
      made[i] = wrk.format("POST", nil, headers, own)
   end
   return made
end

if os.getenv("BENCH_BODY") then
   local made, at

   function init(args)
      made, at = checkins(os.getenv("BENCH_BODY")), 0
   end

   function request()
      at = at % DEVICES + 1
      return made[at]
   end
end

function done(summary, latency, requests)
   local e = summary.errors
   io.write(string.format(
      '\nBENCH {"requests": %d, "bytes": %.0f, "microseconds": %d, '
         .. '"connect": %d, "read": %d, "write": %d, "timeout": %d, "status": %d}\n',
      summary.requests, summary.bytes, summary.duration, e.connect, e.read, e.write, e.timeout, e.status))
end
