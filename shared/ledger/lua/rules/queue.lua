-- The queue of a model: places, and the messages that wake a child for them.

-- Tiers of urgency, 0 being the most urgent: by tier + 1, what Celery's transport appends to the queue's name, and the
-- number it has in a message. A place is `tier * TIER + order`: both stay exact in a double.
local SUFFIXES, LEVELS, TIER = %%SUFFIXES%%, %%LEVELS%%, 2 ^ 40

local function message(id, queue, tag, level) return %%MESSAGE%% end

local function next_order() return redis.call('INCR', ORDER) end

local function tier_of(place) return math.floor(tonumber(place) / TIER) end

local function list_key(model, tier) return 'penstock.' .. model .. SUFFIXES[tier + 1] end

-- Put a message into Celery's queue. The tag must differ from every other push: the transport knows a message by it.
local function push(command, id, model, tier, tag)
  redis.call(command, list_key(model, tier), message(id, 'penstock.' .. model, tag, LEVELS[tier + 1]))
end

-- Put a message at the head of its list: the task has waited its turn before. A submit puts its own at the tail.
local function hint_next(id, model, place)
  push('RPUSH', id, model, tier_of(place), id .. ':' .. digits(next_order()))
end

-- Put the message of a task back that was popped, for somebody else. Returns 1, or 0 if it is not queued and needs none.
local function put_back(id)
  local task = look(id)
  if task.status ~= 'queued' then return 0 end
  hint_next(task.id, task.model, task.place)
  return 1
end

-- The place of a task that comes new into the queue, at the tail of its tier.
local function place_at(tier, order) return digits(tier * TIER + order) end

local function arrive(id, model, place, deadline)
  if redis.call('ZCARD', QUEUE .. model) == 0 then redis.call('SADD', MODELS, model) end
  if deadline then redis.call('ZADD', DEADLINES .. model, deadline, id) end
  redis.call('ZADD', QUEUE .. model, place, id)
  push('LPUSH', id, model, tier_of(place), id .. ':' .. digits(place % TIER))
end

local function leave_queue(task)
  redis.call('ZREM', QUEUE .. task.model, task.id)
  if task.deadline then redis.call('ZREM', DEADLINES .. task.model, task.id) end
  if task.deadline or task.missing then redis.call('HDEL', TASK .. task.id, 'missing', 'deadline') end
end

local function back_to_queue(task)
  redis.call('ZREM', LEASES .. task.model, task.id)
  redis.call('ZADD', QUEUE .. task.model, task.place, task.id)
  redis.call('HDEL', TASK .. task.id, 'worker', 'nonce', 'sighted', 'fraction', 'note', 'started', 'batch')
  hint_next(task.id, task.model, task.place)
end

-- Put ids into the order in which they go back to the queue together: the last first, since the message that is pushed
-- last is popped first. So the messages stand in their list in the order of the queue, as the reaper takes it that they do.
local function last_first(ids)
  local places = {}
  for _, id in ipairs(ids) do places[id] = tonumber(field(id, 'place')) or 0 end
  table.sort(ids, function(a, b) return places[a] > places[b] end)
  return ids
end

-- The id in a message of ours; nil in any other.
local function hinted(text) return string.match(text, '"id": "(%x+%-[%x-]+)"') end

-- Take the message of a task that is being claimed out of its list, if it is the next there: it would wake a child for
-- nothing. Before it there may be messages that lead nowhere any more, and they go too. What leads to another queued
-- task stays, and so does what is not ours: then the message that is looked for is with a worker, or was lost.
local function take_hint(task)
  local key = list_key(task.model, tier_of(task.place))
  for _ = 1, 16 do
    local text = redis.call('RPOP', key)
    if not text or string.find(text, task.id, 1, true) then return end
    local other = hinted(text)
    if not other or field(other, 'status') == 'queued' then
      redis.call('RPUSH', key, text)
      return
    end
  end
end

-- At which pace places fall free: measured on the latest claims, the time since the last of them included.
local function ms_per_claim(model, now)
  local claims = latest(CLAIMS .. model)
  return #claims > 0 and math.ceil((now - tonumber(claims[#claims])) / #claims)
end
