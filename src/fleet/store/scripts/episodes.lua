-- Lists the open episodes, those first that end last.
--
-- KEYS: the open episodes. ARGV: 1 what all keys begin with, 2 how many at most.
-- Returns how many there are, then of each its tally and source, and its episode, as report.lua returns it.

local index, prefix = KEYS[1], ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

redis.call('ZREMRANGEBYSCORE', index, '-inf', string.format('%.0f', now))
local listed = {tostring(redis.call('ZCARD', index))}
for _, rest in ipairs(redis.call('ZRANGE', index, 0, ARGV[2] - 1, 'REV')) do
  local all, fields, counts = redis.call('HGETALL', prefix .. 'e:' .. rest), {}, {}
  for at = 1, #all, 2 do
    fields[all[at]] = all[at + 1]
    if all[at]:sub(1, 1) == 'g' then counts[#counts + 1] = all[at]:sub(2) .. '=' .. all[at + 1] end
  end
  if fields.limit then
    table.sort(counts)
    listed[#listed + 1] = rest
    listed[#listed + 1] = string.format('%s %s %s %s %s', fields.limit, fields.first, fields.met, fields.verified,
      table.concat(counts, ','))
  end
end
return listed
