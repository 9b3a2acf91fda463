//! The scripts. An entry is `<position> <value>`; numbers are below 2^53, so Lua's are exact.

use std::sync::LazyLock;

use holdfast_redis::{Script, script};

/// What is kept, when it is true at ARGV[2] or later. KEYS: index, entry; ARGV: tag, since.
pub(super) static GET: LazyLock<Script> = LazyLock::new(|| {
    script(
        "
local entry = redis.call('GET', KEYS[2])
if not entry then return false end
local known = redis.call('HMGET', KEYS[1], 'upto', 'base', ARGV[1])
if not known[1] then return false end
local space = string.find(entry, ' ', 1, true)
local at = tonumber(string.sub(entry, 1, space - 1))
local upto, base, touched = tonumber(known[1]), tonumber(known[2]), tonumber(known[3] or 0)
if at < base or touched > at then return false end
local position = math.max(at, upto)
if position < tonumber(ARGV[2]) then return false end
return {position, string.sub(entry, space + 1)}
",
    )
});

/// Keeps what was read, unless it may be old. KEYS: index, entry; ARGV: tag, position, lifetime in
/// milliseconds, value.
pub(super) static PUT: LazyLock<Script> = LazyLock::new(|| {
    script(
        "
local at = tonumber(ARGV[2])
local known = redis.call('HMGET', KEYS[1], 'base', ARGV[1])
if not known[1] or at < tonumber(known[1]) or tonumber(known[2] or 0) > at then return false end
local entry = redis.call('GET', KEYS[2])
if entry and tonumber(string.match(entry, '^%d+')) > at then return false end
redis.call('SET', KEYS[2], ARGV[2] .. ' ' .. ARGV[4], 'PX', ARGV[3])
return true
",
    )
});

/// A runner begins: everything that was read before is forgotten. KEYS: index; ARGV: position,
/// channel.
pub(super) static BEGAN: LazyLock<Script> = LazyLock::new(|| {
    script(
        "
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'upto', ARGV[1], 'base', ARGV[1])
redis.call('PUBLISH', ARGV[2], ARGV[1])
return true
",
    )
});

/// Notes a page. One that comes late is no news; one that does not follow the last one means that a
/// page was missed, and so does an index that has become too large. KEYS: index, entries; ARGV:
/// position before, position after, lifetime, channel, number of tags, tags, then tag and value of
/// each entry.
pub(super) static COMMITTED: LazyLock<Script> = LazyLock::new(|| {
    script(
        "
local before, after = tonumber(ARGV[1]), tonumber(ARGV[2])
local upto = tonumber(redis.call('HGET', KEYS[1], 'upto') or -1)
if after <= upto then return false end
if upto ~= before or redis.call('HLEN', KEYS[1]) > 100000 then
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[1], 'base', ARGV[2])
end
redis.call('HSET', KEYS[1], 'upto', ARGV[2])
local first = 6 + tonumber(ARGV[5])
for index = 6, first - 1 do redis.call('HSET', KEYS[1], ARGV[index], ARGV[2]) end
for number = 2, #KEYS do
    local place = first + (number - 2) * 2
    redis.call('HSET', KEYS[1], ARGV[place], ARGV[2])
    if ARGV[place + 1] == '' then
        redis.call('DEL', KEYS[number])
    else
        redis.call('SET', KEYS[number], ARGV[2] .. ' ' .. ARGV[place + 1], 'PX', ARGV[3])
    end
end
redis.call('PUBLISH', ARGV[4], ARGV[2])
return true
",
    )
});
