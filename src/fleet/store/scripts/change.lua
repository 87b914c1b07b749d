-- Changes what is blocked or allowed in the whole fleet, and tells all gateways.
--
-- KEYS: the entries, when each ends, the log.
-- ARGV: 1 "set", "force" or "unset", 2 what the log calls it, 3 the network, 4 until when the entry is kept (µs), 5 the entry
--   (JSON, with its own end), 6 how many entries there may be, 7 the gateway's name.
-- Returns "done"; "full"; or "gone" where the entry was taken back before, and its time is not over: "force" sets it all
--   the same. To unset an entry leaves a tombstone ("-" before the entry), at least until its time would have been over: a
--   gateway that was not connected does not bring it back, and learns that it was taken back.

local entries, ends, log = KEYS[1], KEYS[2], KEYS[3]
local how, what, network, till, entry = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local over = redis.call('ZRANGE', ends, '-inf', string.format('%.0f', now), 'BYSCORE', 'LIMIT', 0, 1000)
if #over > 0 then
  redis.call('ZREM', ends, unpack(over))
  redis.call('HDEL', entries, unpack(over))
end
local old = redis.call('HGET', entries, network)
if how == 'unset' then
  entry = '-' .. entry
  local old_end = redis.call('ZSCORE', ends, network)
  if old_end then till = math.max(till, tonumber(old_end)) end
elseif how == 'set' and old and old:sub(1, 1) == '-' then
  -- The tombstone of what had no entry is kept for longer than it holds.
  local is_read, taken = pcall(cjson.decode, old:sub(2))
  if not is_read or type(taken) ~= 'table' or (tonumber(taken['until']) or 0) > now then return 'gone' end
end
if not old and redis.call('HLEN', entries) >= tonumber(ARGV[6]) then
  if how ~= 'unset' then return 'full' end
else
  redis.call('HSET', entries, network, entry)
  redis.call('ZADD', ends, string.format('%.0f', till), network)
  local last = math.max(1, math.ceil((till - now) / 1000))
  for _, key in ipairs({entries, ends}) do
    redis.call('PEXPIRE', key, last, 'NX')
    redis.call('PEXPIRE', key, last, 'GT')
  end
end
redis.call('XADD', log, 'MAXLEN', '~', 10000, '*', 'what', what, 'network', network, 'by', ARGV[7], 'entry', entry)
return 'done'
