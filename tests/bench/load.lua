-- What wrk sends, and what it reports. Settings come from the environment:
-- BENCH_BODY (a file: post it as check-ins; unset: plain GETs), BENCH_CLOSE=1, BENCH_CROWD (so
-- many devices of crowd.py, made as they come, all over the fleet), BENCH_PAUSE (so many milliseconds
-- between an answer and the next request of that connection, on average).
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

-- What crowd.py does: the same boards, versions and addresses.
local BOARDS, VERSIONS = 30, 5

local function crowd(path)
   local file = assert(io.open(path, "rb"))
   local body = file:read("*a")
   file:close()
   local kinds = {}
   for kind = 0, BOARDS * VERSIONS - 1 do
      local board = string.format("crowd-%02d", kind % BOARDS)
      local version = string.format("1.5.%d", math.floor(kind / BOARDS))
      local own = replace(replace(body, "bench-board", board), "1.5.6", version)
      local text = wrk.format("POST", nil, {
         ["Device-Id"] = FIXTURE_MAC,
         ["Client-Id"] = FIXTURE_UUID,
         ["User-Agent"] = board .. "/" .. version,
         ["Accept-Language"] = "zh-CN",
         ["Activation-Version"] = "1",
         ["Content-Type"] = "application/json",
      }, own)
      -- The pieces between what is each device's own.
      local pieces, from = {}, 1
      while true do
         local mac, last = text:find(FIXTURE_MAC, from, true)
         local uuid, uuid_last = text:find(FIXTURE_UUID, from, true)
         local is_mac = mac and (not uuid or mac < uuid)
         local at, to = mac, last
         if not is_mac then at, to = uuid, uuid_last end
         if not at then break end
         pieces[#pieces + 1] = {text:sub(from, at - 1), is_mac}
         from = to + 1
      end
      kinds[kind] = {pieces, text:sub(from)}
   end
   return kinds
end

local function check_in(kinds, number)
   local mac = string.format("34:85:18:%02x:%02x:%02x",
      math.floor(number / 65536) % 256, math.floor(number / 256) % 256, number % 256)
   local uuid = string.format("7b94d69a-9808-4c59-9c9b-%012x", number)
   local kind = kinds[math.floor(number * 7919 / 8) % (BOARDS * VERSIONS)]
   local text = {}
   for _, piece in ipairs(kind[1]) do
      text[#text + 1] = piece[1]
      text[#text + 1] = piece[2] and mac or uuid
   end
   text[#text + 1] = kind[2]
   return table.concat(text)
end

if os.getenv("BENCH_CROWD") then
   local count = tonumber(os.getenv("BENCH_CROWD"))
   -- A prime: every device comes once before one comes again, and none beside the last.
   local STRIDE = 7368787
   local kinds, at

   function init(args)
      kinds = crowd(os.getenv("BENCH_BODY"))
      math.randomseed(os.time() + tonumber(tostring({}):match("0x(%x+)"), 16) % 65536)
      at = math.random(count)
   end

   function request()
      at = (at + STRIDE) % count
      return check_in(kinds, at)
   end
elseif os.getenv("BENCH_BODY") then
   local made, at

   function init(args)
      made, at = checkins(os.getenv("BENCH_BODY")), 0
   end

   function request()
      at = at % DEVICES + 1
      return made[at]
   end
end

if os.getenv("BENCH_PAUSE") then
   local twice = 2 * tonumber(os.getenv("BENCH_PAUSE"))

   function delay()
      return math.random(0, twice)
   end
end

function done(summary, latency, requests)
   local e = summary.errors
   io.write(string.format(
      '\nBENCH {"requests": %d, "bytes": %.0f, "microseconds": %d, '
         .. '"p99": %.0f, "connect": %d, "read": %d, "write": %d, "timeout": %d, "status": %d}\n',
      summary.requests, summary.bytes, summary.duration, latency:percentile(99.0), e.connect, e.read, e.write, e.timeout, e.status))
end
