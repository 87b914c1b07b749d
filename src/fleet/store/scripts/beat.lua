-- Tells that a gateway is there, and forgets those that were not seen for long.
--
-- KEYS: the gateways, what each tells of itself, the log, the meta data.
-- ARGV: 1 the gateway's name, 2 which run of it this is, 3 what it tells, 4 after how many µs it is forgotten, 5 how many
--   gateways there may be, 6 how long the log and 7 the meta data outlast the last beat (ms).
-- Returns how many gateways there are, and which run of this one beat before. It returns -1 for a gateway that is one
-- too many.

local gateways, status, log, meta = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local name, run = ARGV[1], ARGV[2]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local forgotten = now - ARGV[4]

local gone = redis.call('ZRANGE', gateways, '-inf', string.format('(%.0f', forgotten), 'BYSCORE')
for _, old in ipairs(gone) do
  redis.call('ZREM', gateways, old)
  redis.call('HDEL', status, old)
end
local before = ''
if redis.call('ZSCORE', gateways, name) then
  before = (redis.call('HGET', status, name) or ''):match('^%S*')
else
  if redis.call('ZCARD', gateways) >= tonumber(ARGV[5]) then return {-1, ''} end
  redis.call('XADD', log, 'MAXLEN', '~', 10000, '*', 'what', 'join', 'by', name)
end
redis.call('ZADD', gateways, string.format('%.0f', now), name)
redis.call('HSET', status, name, run .. ' ' .. ARGV[3])
local last = math.ceil(ARGV[4] / 1000)
redis.call('PEXPIRE', gateways, last)
redis.call('PEXPIRE', status, last)
redis.call('PEXPIRE', log, ARGV[6])
redis.call('PEXPIRE', meta, ARGV[7])
return {redis.call('ZCARD', gateways), before}
