//! The scripts. An entry is `<life> <position> <value>`: a runner that begins, a gap in the notes, and
//! another revision of the registry begin another life of the index, and no entry outlives its own.
//! Revisions are compared as texts. Positions are below 2^53, so Lua's numbers are exact.

use std::sync::LazyLock;

use holdfast_redis::{Script, script};

/// What is kept, when it is true at `since` or later. KEYS: index, entry; ARGV: tag, since.
pub(super) static GET: LazyLock<Script> = LazyLock::new(|| {
    script(
        "
local entry = redis.call('GET', KEYS[2])
if not entry then return false end
local known = redis.call('HMGET', KEYS[1], 'upto', 'life', ARGV[1])
if not known[1] then return false end
local life, at, value = string.match(entry, '^(%d+) (%d+) (.*)$')
at = tonumber(at)
if life ~= known[2] or tonumber(known[3] or 0) > at then return false end
local position = math.max(at, tonumber(known[1]))
if position < tonumber(ARGV[2]) then return false end
return {position, value}
",
    )
});

/// Keeps what was read, unless it may be old. KEYS: index, entry; ARGV: tag, position, lifetime in
/// milliseconds, value, registry.
pub(super) static PUT: LazyLock<Script> = LazyLock::new(|| {
    script(
        "
local at = tonumber(ARGV[2])
local known = redis.call('HMGET', KEYS[1], 'base', ARGV[1], 'life', 'registry')
if known[4] ~= ARGV[5] then return false end
if not known[1] or at < tonumber(known[1]) or tonumber(known[2] or 0) > at then return false end
redis.call('SET', KEYS[2], known[3] .. ' ' .. ARGV[2] .. ' ' .. ARGV[4], 'PX', ARGV[3])
return true
",
    )
});

/// A runner begins: everything that was read before is forgotten. KEYS: index; ARGV: position,
/// channel, registry.
pub(super) static BEGAN: LazyLock<Script> = LazyLock::new(|| {
    script(
        "
local time = redis.call('TIME')
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'upto', ARGV[1], 'base', ARGV[1], 'life', time[1] .. time[2], 'registry', ARGV[3])
redis.call('PUBLISH', ARGV[2], ARGV[1])
return true
",
    )
});

/// Notes a page. One that comes late is no news; one that does not follow the last one means that a
/// page was missed, and so does an index that has become too large. One of another registry means that
/// nobody heard of a switch, after which the same position is another state of the views. KEYS: index,
/// entries; ARGV: position before, position after, lifetime, channel, registry, number of tags, tags,
/// then tag and value of each entry.
pub(super) static COMMITTED: LazyLock<Script> = LazyLock::new(|| {
    script(
        "
local before, after = tonumber(ARGV[1]), tonumber(ARGV[2])
local known = redis.call('HMGET', KEYS[1], 'upto', 'registry')
local upto = tonumber(known[1] or -1)
if after <= upto then return false end
if upto ~= before or known[2] ~= ARGV[5] or redis.call('HLEN', KEYS[1]) > 100000 then
    local time = redis.call('TIME')
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[1], 'base', ARGV[2], 'life', time[1] .. time[2], 'registry', ARGV[5])
end
redis.call('HSET', KEYS[1], 'upto', ARGV[2])
local life = redis.call('HGET', KEYS[1], 'life')
local first = 7 + tonumber(ARGV[6])
for index = 7, first - 1 do redis.call('HSET', KEYS[1], ARGV[index], ARGV[2]) end
for number = 2, #KEYS do
    local place = first + (number - 2) * 2
    redis.call('HSET', KEYS[1], ARGV[place], ARGV[2])
    if ARGV[place + 1] == '' then
        redis.call('DEL', KEYS[number])
    else
        redis.call('SET', KEYS[number], life .. ' ' .. ARGV[2] .. ' ' .. ARGV[place + 1], 'PX', ARGV[3])
    end
end
redis.call('PUBLISH', ARGV[4], ARGV[2])
return true
",
    )
});
