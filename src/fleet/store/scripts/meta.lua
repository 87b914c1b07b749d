-- Agrees on the version of the data and on the key of marks: what the first gateway proposes holds for all.
--
-- KEYS: the meta data. ARGV: 1 the version, 2 a key, 3 how long it lasts (ms) without a beat.
-- Returns the version and the key that hold.

redis.call('HSETNX', KEYS[1], 'version', ARGV[1])
redis.call('HSETNX', KEYS[1], 'key', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return redis.call('HMGET', KEYS[1], 'version', 'key')
