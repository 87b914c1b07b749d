-- Tries each command that the scripts use, on a key of its own, and removes that again.
--
-- KEYS: that key. Returns the commands that this user may not use.

local key = KEYS[1]
local tries = {
  {'EXISTS', key}, {'DEL', key},
  {'HSET', key, 'a', '1'}, {'PEXPIRE', key, 1000}, {'HSETNX', key, 'b', '1'}, {'HINCRBY', key, 'a', 1}, {'HGET', key, 'a'},
  {'HMGET', key, 'a'}, {'HGETALL', key}, {'HLEN', key}, {'HDEL', key, 'a', 'b'}, {'DEL', key},
  {'ZADD', key, 1, 'a'}, {'PEXPIRE', key, 1000}, {'ZCARD', key}, {'ZRANGE', key, 0, 0}, {'ZSCORE', key, 'a'},
  {'ZREMRANGEBYRANK', key, 5, 5}, {'ZREMRANGEBYSCORE', key, 5, 5}, {'ZREM', key, 'a'}, {'DEL', key},
  {'XADD', key, '*', 'a', '1'}, {'PEXPIRE', key, 1000}, {'DEL', key},
  {'TIME'},
}
local denied, is_denied = {}, {}
for _, try in ipairs(tries) do
  local answer = redis.pcall(unpack(try))
  local why = type(answer) == 'table' and answer.err or ''
  -- Each version says it in other words.
  if why:find('NOPERM') or why:find('ACL failure') or why:find('user executing the script') then
    local name = try[1]:lower()
    if not is_denied[name] then
      is_denied[name] = true
      denied[#denied + 1] = name
    end
  end
end
return denied
