"""The Lua that Redis runs: compare the fence of a key and change its hash in one atomic step."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script and the name `EVALSHA` knows it by."""

    source: str
    sha1: str


# A fence is "epoch:sequence:emitted_at". Lua's numbers are IEEE doubles, exact for the integers below 2^53
# that `features.online.rows` admits.
_NEWER = """
local function parts(fence)
  local epoch, sequence, emitted = string.match(fence, '^(%d+):(%d+):(%d+)$')
  return tonumber(epoch), tonumber(sequence), tonumber(emitted)
end

local function newer(fence, stored, on_tie)
  if not stored then return true end
  local epoch, sequence, emitted = parts(fence)
  local old_epoch, old_sequence, old_emitted = parts(stored)
  if epoch ~= old_epoch then return epoch > old_epoch end
  if sequence ~= old_sequence then return sequence > old_sequence end
  if emitted ~= old_emitted then return emitted > old_emitted end
  return on_tie
end

local function stored(key)
  local found = redis.pcall('HGET', key, FENCE)
  if type(found) ~= 'table' then return found end
  -- A value of another type there is nobody's: left there, it would hold up everybody for ever.
  if redis.call('TYPE', key).ok ~= 'hash' then redis.call('DEL', key) end
  return redis.call('HGET', key, FENCE)
end
"""

_WRITE = """
local stamp = ARGV[1]
local written = 0
for place, key in ipairs(KEYS) do
  local fence = ARGV[2 * place]
  if newer(fence, stored(key), false) then
    local values = cmsgpack.unpack(ARGV[2 * place + 1])
    local command = {'HSET', key, FENCE, fence}
    local size = 4
    for _, field in ipairs(STAMPS) do
      command[size + 1] = field
      command[size + 2] = stamp
      size = size + 2
    end
    for position, field in ipairs(FIELDS) do
      command[size + 1] = field
      command[size + 2] = values[position]
      size = size + 2
    end
    redis.call(unpack(command))
    redis.call('PERSIST', key)
    written = written + 1
  end
end
return written
"""

_DELETE = """
local ttl = ARGV[1]
local deleted = 0
for place, key in ipairs(KEYS) do
  local fence = ARGV[place + 1]
  if newer(fence, stored(key), true) then
    redis.call('DEL', key)
    redis.call('HSET', key, FENCE, fence)
    if ttl ~= '' then redis.call('EXPIRE', key, ttl) end
    deleted = deleted + 1
  end
end
return deleted
"""


def write(fence_field: bytes, timestamp_fields: Sequence[bytes], value_fields: Sequence[bytes]) -> Script:
    """Return the script that writes keys of an entity.

    KEYS are their hashes; ARGV is the timestamp, then per key the fence and the values, one per
    `value_fields`, as a MessagePack array. Answers the number of keys whose fence was newer.
    """
    tables = f"local STAMPS = {_table(timestamp_fields)}\nlocal FIELDS = {_table(value_fields)}\n"
    return _script(fence_field, tables + _WRITE)


def delete(fence_field: bytes) -> Script:
    """Return the script that removes keys of an entity.

    KEYS are their hashes; ARGV is the fences' time to live in seconds (empty: for ever), then the fence of
    each key. Answers the number of keys whose stored fence was not newer than theirs.
    """
    return _script(fence_field, _DELETE)


def _script(fence_field: bytes, body: str) -> Script:
    source = f"local FENCE = {_literal(fence_field)}\n{_NEWER}{body}"
    return Script(source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


def _table(fields: Sequence[bytes]) -> str:
    return "{" + ", ".join(map(_literal, fields)) + "}"


def _literal(value: bytes) -> str:
    """Write bytes as a Lua string of decimal escapes, safe whatever they are."""
    return "'" + "".join(f"\\{byte:03d}" for byte in value) + "'"
