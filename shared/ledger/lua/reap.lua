-- Take back what no live worker holds, send again what was lost on its way, end what has waited too long. Any number
-- of reapers may run.
-- ARGV max_attempts, retention_ms, sighting_ms, missing_ms. Returns {id, verdict, attempt, request or ''} ... for the log.
--
-- Both rules need two sightings, `..._ms` apart. After Redis itself was away every lease looks expired until its
-- worker has had time to renew it; and a message that was popped a moment ago may be about to be claimed.
local max_attempts, retention_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local sighting_ms, missing_ms = tonumber(ARGV[3]), tonumber(ARGV[4])
local now, verdicts = now_ms(), {}

local function note(id, word) verdicts[#verdicts + 1] = verdict(id, word) end

-- True from the second sighting on; the first one is only written down.
local function seen_before(id, name, apart_ms)
  local first = tonumber(field(id, name))
  if first then return now - first >= apart_ms end
  redis.call('HSET', TASK .. id, name, digits(now))
  return false
end

local function reap_leases(model)
  local expired = redis.call('ZRANGE', LEASES .. model, '-inf', digits(now), 'BYSCORE', 'LIMIT', 0, AT_ONCE)
  for _, id in ipairs(last_first(expired)) do
    local task = look(id)
    if task.status ~= 'running' then
      redis.call('ZREM', LEASES .. model, id)  -- no record: it was deleted by hand
    elseif seen_before(id, 'sighted', sighting_ms) then
      note(id, lose(task, now, max_attempts, retention_ms))
    end
  end
end

-- The id in the message of a tier that is popped next, after dropping messages that lead to nothing (a canceled
-- task's, a doubled one): false if the list is empty, nil if what is there is not ours to judge.
local function next_hint(model, tier)
  for _ = 1, AT_ONCE do
    local text = redis.call('LINDEX', list_key(model, tier), -1)
    if not text then return false end
    local id = hinted(text)
    if not id then return nil end
    if field(id, 'status') == 'queued' then return id end
    redis.call('RPOP', list_key(model, tier))
  end
  return nil
end

-- Messages stand in their list in the order of the queue. So a queued task that comes before the next message's task
-- has no message any more: it was popped, and whoever popped it has not claimed the task. A gap further back shows
-- when the head moves; as long as it does not move no worker is free, and the task behind it could not run anyway.
local function resend_missing(model, tier)
  local hint = next_hint(model, tier)
  if hint == nil then return end
  local first, past = tier * TIER, hint and field(hint, 'place') or digits((tier + 1) * TIER)
  local ids = redis.call('ZRANGE', QUEUE .. model, digits(first), '(' .. past, 'BYSCORE', 'LIMIT', 0, AT_ONCE)
  for i = #ids, 1, -1 do  -- the last pushed is the first popped
    local id = ids[i]
    if field(id, 'status') ~= 'queued' then
      redis.call('ZREM', QUEUE .. model, id)
    elseif seen_before(id, 'missing', missing_ms) then
      redis.call('HDEL', TASK .. id, 'missing')
      hint_next(id, model, field(id, 'place'))
      note(id, 'resent')
      count(model, 'resent')
    end
  end
end

local function forget_dead_workers(model)
  local dead = redis.call('ZRANGE', WORKERS .. model, '-inf', digits(now), 'BYSCORE', 'LIMIT', 0, AT_ONCE)
  if #dead == 0 then return end
  redis.call('ZREM', WORKERS .. model, unpack(dead))
  redis.call('HDEL', SLOTS .. model, unpack(dead))
  redis.call('HDEL', SHAPES .. model, unpack(dead))
  redis.call('HDEL', MEMORY, unpack(dead))
end

for _, model in ipairs(redis.call('SMEMBERS', MODELS)) do
  for _, id in ipairs(expire_due(model, now, retention_ms)) do note(id, 'expired') end
  reap_leases(model)
  for tier = 0, #SUFFIXES - 1 do resend_missing(model, tier) end
  forget_dead_workers(model)
end
return verdicts
