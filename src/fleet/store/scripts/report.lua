-- Merges what one gateway saw of some sources with what the others saw, and judges it.
--
-- KEYS: the attempts of each source (…c:TALLY:SOURCE), then the open episodes and the log.
-- ARGV: 1 the gateway as four bytes, 2 its name, 3 the time in µs (0: the server's), 4 by how many µs that is ahead of
--   the gateway's clock, 5 which run of the gateway this is, 6 how many tallies follow; of each: its limits
--   "place:k:w_us,…", how long attempts are kept (µs), the quiet time (ms), when a candidate is announced again (µs); then
--   of each source: its tally (2 bytes, from 0), how many attempts are not listed (4), the report's number (8), and 13 bytes
--   for each other one: time in µs by the gateway's clock (8), mark (2), port (2), flags (1: proven, 2: published before).
-- Returns for each source "" (no limit is met), or "met" or "open", followed by its episode.
--
-- The attempts of a source are a sorted set by time. A member is gateway (4), mark and port (4), the lower half of the time
-- by the gateway's clock (4) and "p" or "u", proven or not: one attempt that is published twice is one member, though
-- the gateway has read the server's clock anew. The member "a" is the time of the last announcement. While an episode is
-- open the set goes on, so that what is published again is known; the member "o" says so, and what an episode leaves is
-- dropped. Attempts that are not listed count once by the number of their report: those of one run of a gateway rise, and
-- a report that fails is sent again before later ones.
--
-- A mark of 0 is none: the gateway had no key yet. Such an attempt passes for no other gateway's.

local SAME = 250000 -- µs: how far apart two gateways may see one SYN
local AHEAD = 5000000 -- µs: no attempt is of a time later than this from now
local MOST = 4096 -- members of a set: four times the largest limit that is shared
local NEAR = 1000000 -- µs: how far a gateway's readings of the server's clock may be apart
local UNMARKED = '\0\0' -- the mark of an attempt that has none
local MOST_EPISODES = 10000
local LOG = 10000 -- entries of the log, about

local me, name, now, ahead, run = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local index, log = KEYS[#KEYS - 1], KEYS[#KEYS]
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

local function text(number) return string.format('%.0f', number) end
local function long(bytes, at)
  local high, low = struct.unpack('>I4I4', bytes, at)
  return high * 4294967296 + low
end
local function hex(bytes) return (bytes:gsub('.', function(byte) return string.format('%02x', byte:byte()) end)) end

local tallies = {}
for number = 0, ARGV[6] - 1 do
  local at = 7 + number * 4
  local tally = {limits = {}, longest = 0, fewest = math.huge, keep = tonumber(ARGV[at + 1]), quiet = tonumber(ARGV[at + 2]),
    again = tonumber(ARGV[at + 3])}
  for place, attempts, window in ARGV[at]:gmatch('(%d+):(%d+):(%d+)') do
    attempts, window = tonumber(attempts), tonumber(window)
    tally.limits[#tally.limits + 1] = {attempts, window, place}
    tally.longest, tally.fewest = math.max(tally.longest, window), math.min(tally.fewest, attempts)
  end
  tallies[number] = tally
end
local FIRST = 7 + ARGV[6] * 4

-- The attempts of a report, without those of a time to come.
local function unpacked(packed)
  local all = {}
  for at = 15, #packed, 13 do
    local time, flags = long(packed, at) + ahead, packed:byte(at + 12)
    if time <= now + AHEAD then
      local what = packed:sub(at + 8, at + 11)
      all[#all + 1] = {time = time, what = what, member = me .. what .. packed:sub(at + 4, at + 7), proven = flags % 2 == 1,
        known = flags >= 2}
    end
  end
  return all
end

-- Adds attempts to a set. Returns what of it is not further from them than the reach, and those of them that were not
-- there.
local function merged(key, new, tally, reach)
  local first, last = math.huge, 0
  for _, attempt in ipairs(new) do first, last = math.min(first, attempt.time), math.max(last, attempt.time) end
  reach = reach + SAME
  local rows = redis.call('ZRANGE', key, text(first - reach), text(last + reach), 'BYSCORE', 'WITHSCORES')
  local there, by_what, by_member = {}, {}, {}
  for row = 1, #rows, 2 do
    local member = rows[row]
    if #member == 13 then
      local attempt = {time = tonumber(rows[row + 1]), what = member:sub(5, 8), member = member:sub(1, 12),
        proven = member:sub(13) == 'p'}
      there[#there + 1] = attempt
      by_member[attempt.member] = attempt
      by_what[attempt.what] = by_what[attempt.what] or {}
      table.insert(by_what[attempt.what], attempt)
    end
  end
  local fresh, added, removed = {}, {}, {}
  local function add(attempt)
    added[#added + 1] = text(attempt.time)
    added[#added + 1] = attempt.member .. (attempt.proven and 'p' or 'u')
  end
  for _, attempt in ipairs(new) do
    local same = by_member[attempt.member]
    if not same and attempt.what:sub(1, 2) ~= UNMARKED then
      for _, other in ipairs(by_what[attempt.what] or {}) do
        if not other.paired and other.member:sub(1, 4) ~= me and math.abs(other.time - attempt.time) <= SAME then
          same, other.paired = other, true
          break
        end
      end
    end
    if not same then
      there[#there + 1] = attempt
      fresh[#fresh + 1] = attempt
      by_member[attempt.member] = attempt
      add(attempt)
    else
      if attempt.proven and not same.proven then
        removed[#removed + 1] = same.member .. 'u'
        same.proven = true
        same.changed = true
      end
      -- The first gateway on its way knows its time.
      if attempt.time < same.time then same.time, same.changed = attempt.time, true end
      if same.changed then
        same.changed = nil
        add(same)
      end
    end
  end
  if #removed > 0 then redis.call('ZREM', key, unpack(removed)) end
  if #added > 0 then redis.call('ZADD', key, unpack(added)) end
  redis.call('ZREMRANGEBYSCORE', key, '-inf', '(' .. text(math.min(last, now + AHEAD) - tally.keep))
  redis.call('ZREMRANGEBYRANK', key, 0, -MOST - 1)
  redis.call('PEXPIRE', key, math.ceil(tally.keep / 1000))
  return there, fresh
end

-- The limit that is met first: its place, the first and the last attempt of its window.
local function judged(attempts, tally, proven)
  local times = {}
  for _, attempt in ipairs(attempts) do
    if attempt.proven or not proven then times[#times + 1] = attempt.time end
  end
  if #times < tally.fewest then return nil end
  table.sort(times)
  local best
  for _, limit in ipairs(tally.limits) do
    local before, window = limit[1] - 1, limit[2]
    for at = limit[1], #times do
      if times[at] - times[at - before] <= window then
        if not best or times[at] < best.met then
          best = {limit = limit[3], first = times[at - before], met = times[at]}
        end
        break
      end
    end
  end
  return best
end

-- An episode as one text: limit first met verified, and the attempts of each gateway.
local function episode(key)
  local fields, all = {}, redis.call('HGETALL', key)
  local counts = {}
  for at = 1, #all, 2 do
    fields[all[at]] = all[at + 1]
    if all[at]:sub(1, 1) == 'g' then counts[#counts + 1] = all[at]:sub(2) .. '=' .. all[at + 1] end
  end
  table.sort(counts)
  return string.format('%s %s %s %s %s', fields.limit, fields.first, fields.met, fields.verified, table.concat(counts, ','))
end

local function announce(what, key, ...)
  redis.call('XADD', log, 'MAXLEN', '~', LOG, '*', 'what', what, 'key', key, 'by', name, ...)
end

local function keep_open(key, rest, tally)
  local ends = now + tally.quiet * 1000
  redis.call('PEXPIRE', key, tally.quiet)
  redis.call('ZADD', index, text(ends), rest)
  redis.call('ZREMRANGEBYRANK', index, 0, -MOST_EPISODES - 1)
end

-- An episode is open: the attempts that were not there yet count for their gateway. The proven ones are judged until
-- they meet a limit, too.
local function go_on(attempts_key, key, rest, new, more, number, tally)
  local first, verified, counted = unpack(redis.call('HMGET', key, 'first', 'verified', 'n' .. hex(me)))
  first = tonumber(first) or 0
  local run_before, number_before = (counted or ''):match('^(%S+) (%d+)$')
  local count, fresh = 0, {}
  if more > 0 and (run_before ~= run or number > tonumber(number_before)) then
    count = more
    redis.call('HSET', key, 'n' .. hex(me), run .. ' ' .. text(number))
  end
  local is_to_judge, there = false, {}
  for _, attempt in ipairs(new) do is_to_judge = is_to_judge or attempt.proven and verified == '0' end
  if #new > 0 then
    there, fresh = merged(attempts_key, new, tally, is_to_judge and tally.longest or NEAR)
    redis.call('ZADD', attempts_key, '+inf', 'o')
  end
  for _, attempt in ipairs(fresh) do
    if not attempt.known and attempt.time >= first then count = count + 1 end
  end
  if count > 0 then
    redis.call('HINCRBY', key, 'g' .. hex(me), text(count))
    keep_open(key, rest, tally)
  end
  if is_to_judge and judged(there, tally, true) then
    redis.call('HSET', key, 'verified', '1')
    announce('verified', rest)
  end
  return 'open ' .. episode(key)
end

-- A limit is met: the attempts become an episode.
local function open(attempts_key, key, rest, attempts, more, number, best, tally)
  local counts, verified = {}, judged(attempts, tally, true)
  for _, attempt in ipairs(attempts) do
    if attempt.time >= best.first then
      local gateway = hex(attempt.member:sub(1, 4))
      counts[gateway] = (counts[gateway] or 0) + 1
    end
  end
  local fields = {'limit', best.limit, 'first', text(best.first), 'met', text(best.met), 'verified', verified and 1 or 0}
  if more > 0 then
    counts[hex(me)] = (counts[hex(me)] or 0) + more
    fields[#fields + 1] = 'n' .. hex(me)
    fields[#fields + 1] = run .. ' ' .. text(number)
  end
  for gateway, count in pairs(counts) do
    fields[#fields + 1] = 'g' .. gateway
    fields[#fields + 1] = text(count)
  end
  redis.call('HSET', key, unpack(fields))
  keep_open(key, rest, tally)
  redis.call('ZADD', attempts_key, '+inf', 'o')
  local told = episode(key)
  announce('met', rest, 'episode', told)
  return 'met ' .. told
end

local answers = {}
for number = 1, #KEYS - 2 do
  local attempts_key, packed = KEYS[number], ARGV[FIRST + number - 1]
  local prefix, rest = attempts_key:match('^(.-})(:c:.*)$')
  rest = rest:sub(4)
  local key = prefix .. ':e:' .. rest
  local tally, more = tallies[struct.unpack('>I2', packed)], struct.unpack('>I4', packed, 3)
  local report_number = long(packed, 7)
  local new = unpacked(packed)
  answers[number] = ''
  if redis.call('EXISTS', key) == 1 then
    answers[number] = go_on(attempts_key, key, rest, new, more, report_number, tally)
  elseif #new > 0 then
    -- The set of an episode that is over.
    if redis.call('ZSCORE', attempts_key, 'o') then redis.call('DEL', attempts_key) end
    local announced = redis.call('ZSCORE', attempts_key, 'a')
    local attempts = merged(attempts_key, new, tally, tally.longest)
    local best = judged(attempts, tally, false)
    if best then
      answers[number] = open(attempts_key, key, rest, attempts, more, report_number, best, tally)
    elseif not announced or now - announced > tally.again then
      redis.call('ZADD', attempts_key, text(now), 'a')
      announce('candidate', rest)
    end
  end
end
return answers
