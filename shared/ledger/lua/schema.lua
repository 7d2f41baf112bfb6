-- The ledger's keys. Every script starts with this text; `%%ALLOWED%%`, `%%FIELDS%%` and `%%MESSAGE%%` are filled in
-- by shared/ledger/scripts.py from shared/task.py, shared/ledger/calls.py and shared/queue.py.
--
-- key                          type    what it holds
-- penstock:task:<id>           hash    one task: every field below
-- penstock:queue:<model>       zset    the queued tasks of a model: id -> order (lowest is next)
-- penstock:leases:<model>      zset    the running tasks of a model: id -> until when its lease is believed, in ms
-- penstock:runtimes:<model>    list    run times in ms of the model's latest successes, newest first (at most 64)
-- penstock:workers:<model>     zset    live workers that have loaded the model: worker -> until when believed, in ms
-- penstock:slots:<model>       hash    worker -> how many of its children can run the model
-- penstock:models              set     models that some worker has served: what the reaper goes through
-- penstock:order               string  counter; a task's place in its queue, kept when it is queued again
-- penstock.<model>             list    Celery's queue: messages, newest at the left, popped from the right
--
-- field of a task      what it holds
-- model, status        see shared/task.py
-- input, result        JSON, byte for byte as the client and the worker wrote it; a success drops its input
-- created, started, finished, expires      instants in ms
-- order                its score in penstock:queue:<model>
-- attempt              how often it was claimed; the latest claim's number is the fencing token
-- lost                 how many attempts ended with a dead worker
-- worker               who holds the latest claim
-- fraction, note       progress of the running attempt
-- error_code, error_message
-- sighted              when a reaper first saw the lease expired; cleared by a renewal
-- missing              when a reaper first saw that no message leads to this queued task
--
-- channel                      message
-- penstock:task:<id>           the status, at every change of the task (progress included)
-- penstock:worker:<worker>     "<id> <attempt>", when a claim that this worker holds was canceled
--
-- Instants come from the server's clock (TIME), so no two machines need agree. Task keys are computed from ids inside
-- the scripts: this needs one Redis (primary), not a Redis Cluster, which Celery's transport cannot use either.

local TASK, QUEUE, LEASES = 'penstock:task:', 'penstock:queue:', 'penstock:leases:'
local RUNTIMES, WORKERS, SLOTS = 'penstock:runtimes:', 'penstock:workers:', 'penstock:slots:'
local MODELS, ORDER, CHANNEL = 'penstock:models', 'penstock:order', 'penstock:worker:'
local RUNTIMES_KEPT = 64

local ALLOWED = %%ALLOWED%%
local FIELDS = %%FIELDS%%

local function message(id, queue, tag) return %%MESSAGE%% end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Lua prints a large number as 1.7e+12; Redis wants digits.
local function digits(number) return string.format('%.0f', number) end

local function field(id, name) return redis.call('HGET', TASK .. id, name) end

local function list_key(model) return 'penstock.' .. model end

-- The only way a status changes: refuses what the table of transitions does not allow. It comes before a script's
-- other writes, because Redis keeps what a script wrote before it failed.
local function move(id, action, before, after)
  if not (ALLOWED[action][before] and ALLOWED[action][before][after]) then
    error({err = 'PENSTOCK ' .. action .. ' may not move a task from ' .. before .. ' to ' .. after})
  end
  redis.call('HSET', TASK .. id, 'status', after)
  redis.call('PUBLISH', TASK .. id, after)
end

-- True if `token` is the claim that holds the task now: the fence that a late or doubled attempt cannot pass.
local function holds(id, token)
  local task = redis.call('HMGET', TASK .. id, 'status', 'attempt')
  return task[1] == 'running' and task[2] == tostring(token)
end

-- Put a message at the head of the queue: the task has waited its turn before. A submit puts its own at the tail.
local function hint_next(id, model, tag)
  redis.call('RPUSH', list_key(model), message(id, list_key(model), tag))
end

local function leave_queue(id, model)
  redis.call('ZREM', QUEUE .. model, id)
  redis.call('HDEL', TASK .. id, 'missing')
end

local function back_to_queue(id, model, now)
  redis.call('ZREM', LEASES .. model, id)
  redis.call('ZADD', QUEUE .. model, field(id, 'order'), id)
  redis.call('HDEL', TASK .. id, 'worker', 'sighted', 'fraction', 'note', 'started')
  hint_next(id, model, id .. ':' .. digits(now))
end

-- What every final state has in common. The record leaves by itself when its retention ends.
local function close(id, model, now, retention_ms)
  redis.call('ZREM', LEASES .. model, id)
  redis.call('HDEL', TASK .. id, 'worker', 'sighted', 'fraction', 'note')
  redis.call('HSET', TASK .. id, 'finished', digits(now), 'expires', digits(now + retention_ms))
  redis.call('PEXPIRE', TASK .. id, digits(retention_ms))
end

local function fail(id, action, model, now, retention_ms, code, sentence)
  move(id, action, 'running', 'failed')
  redis.call('HSET', TASK .. id, 'error_code', code, 'error_message', sentence)
  close(id, model, now, retention_ms)
end

-- An attempt died with its worker: back to the queue, or failed once it has cost `max_attempts` workers.
local function lose(id, model, now, max_attempts, retention_ms)
  local lost = redis.call('HINCRBY', TASK .. id, 'lost', 1)
  if lost >= max_attempts then
    fail(id, 'reap', model, now, retention_ms, 'worker_lost',
         'The worker died while it ran this task, ' .. lost .. ' times in all.')
    return 'failed'
  end
  move(id, 'reap', 'running', 'queued')
  back_to_queue(id, model, now)
  return 'queued'
end

local function alive_workers(model, now)
  return redis.call('ZRANGE', WORKERS .. model, '(' .. digits(now), '+inf', 'BYSCORE')
end

local function slots_of(model, workers)
  if #workers == 0 then return 0 end
  local sum = 0
  for _, slots in ipairs(redis.call('HMGET', SLOTS .. model, unpack(workers))) do
    sum = sum + (tonumber(slots) or 0)
  end
  return sum
end

local function typical_run_ms(model)
  local times = redis.call('LRANGE', RUNTIMES .. model, 0, -1)
  if #times == 0 then return false end
  for i = 1, #times do times[i] = tonumber(times[i]) end
  table.sort(times)
  return times[math.ceil(#times / 2)]
end

-- A task as its readers see it: the FIELDS, then what is known of its wait. False if there is none.
local function read(id)
  local task = redis.call('HMGET', TASK .. id, unpack(FIELDS))
  if not task[1] then return false end
  if task[2] ~= 'queued' then return {task, false} end
  local now, model = now_ms(), task[1]
  local workers = alive_workers(model, now)
  local rank = redis.call('ZRANK', QUEUE .. model, id)
  return {task, {(rank or 0) + 1, slots_of(model, workers), #workers, typical_run_ms(model)}}
end
