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
-- penstock:deadlines:<model>   zset    queued tasks that may expire: id -> when, in ms
-- penstock:waiting:<owner>     set     the queued tasks of one owner
-- penstock:claims:<model>      list    instants of the model's latest claims, newest first (at most 64)
-- penstock:gone:<id>           string  there was such a task: outlives it for as long again as it was kept
-- penstock:order               string  counter; a task's place in its queue, kept when it is queued again
-- penstock.<model>             list    Celery's queue: messages, newest at the left, popped from the right
--
-- field of a task      what it holds
-- model, status        see shared/task.py
-- input, result        JSON, byte for byte as the client and the worker wrote it; a success drops its input
-- created, started, finished, expires      instants in ms
-- owner                who submitted it; absent for the owner '' (no one was asked for a key)
-- limit                ms it may run, if the client asked for less than the model allows
-- deadline             until when it must have been claimed for the first time; a claim removes it
-- order                its score in penstock:queue:<model>
-- attempt              how often it was claimed; the latest claim's number is the fencing token
-- lost                 how many attempts ended with a dead worker
-- worker, nonce        who holds the latest claim; which of its requests to claim it was
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
local DEADLINES, WAITING, CLAIMS = 'penstock:deadlines:', 'penstock:waiting:', 'penstock:claims:'
local GONE = 'penstock:gone:'
local MODELS, ORDER, CHANNEL = 'penstock:models', 'penstock:order', 'penstock:worker:'
local LATEST_KEPT = 64
local AT_ONCE = 1000  -- bounds how long one script holds Redis up; the rest follows at the next call

local ALLOWED = %%ALLOWED%%
local FIELDS = %%FIELDS%%
local EXPIRED_SENTENCE = 'The task was still queued at its deadline.'

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

-- Remember the latest of something, newest first.
local function remember(key, value)
  redis.call('LPUSH', key, value)
  redis.call('LTRIM', key, 0, LATEST_KEPT - 1)
end

-- Put a message at the head of the queue: the task has waited its turn before. A submit puts its own at the tail.
-- The tag must differ from every other push: Celery's transport knows a message by it.
local function hint_next(id, model)
  local tag = id .. ':' .. digits(redis.call('INCR', ORDER))
  redis.call('RPUSH', list_key(model), message(id, list_key(model), tag))
end

local function enter_queue(id, model, owner, order)
  redis.call('ZADD', QUEUE .. model, order, id)
  redis.call('SADD', WAITING .. owner, id)
end

local function leave_queue(id, model)
  redis.call('ZREM', QUEUE .. model, id)
  redis.call('ZREM', DEADLINES .. model, id)
  redis.call('SREM', WAITING .. (field(id, 'owner') or ''), id)
  redis.call('HDEL', TASK .. id, 'missing', 'deadline')
end

local function back_to_queue(id, model)
  redis.call('ZREM', LEASES .. model, id)
  enter_queue(id, model, field(id, 'owner') or '', field(id, 'order'))
  redis.call('HDEL', TASK .. id, 'worker', 'nonce', 'sighted', 'fraction', 'note', 'started')
  hint_next(id, model)
end

-- What every final state has in common. The record leaves by itself when its retention ends; for as long again it is
-- known that there was one. `finished` is an instant in ms, now or before.
local function close(id, model, finished, retention_ms)
  local expires = digits(finished + retention_ms)
  redis.call('ZREM', LEASES .. model, id)
  redis.call('HDEL', TASK .. id, 'worker', 'nonce', 'sighted', 'fraction', 'note')
  redis.call('HSET', TASK .. id, 'finished', digits(finished), 'expires', expires)
  redis.call('SET', GONE .. id, field(id, 'owner') or '')
  redis.call('PEXPIREAT', GONE .. id, digits(finished + 2 * retention_ms))
  redis.call('PEXPIREAT', TASK .. id, expires)
end

-- True if this very claim has ended the task that way before: the answer was lost, and the child asks again.
local function has_ended(id, token, status)
  local task = redis.call('HMGET', TASK .. id, 'status', 'attempt')
  return task[1] == status and task[2] == tostring(token)
end

local function fail(id, action, before, model, finished, retention_ms, code, sentence)
  move(id, action, before, 'failed')
  redis.call('HSET', TASK .. id, 'error_code', code, 'error_message', sentence)
  close(id, model, finished, retention_ms)
end

-- End a queued task whose deadline has passed. It finished at its deadline, whenever that is noticed.
local function expire(id, model, retention_ms)
  local deadline = tonumber(field(id, 'deadline'))
  fail(id, 'expire', 'queued', model, deadline, retention_ms, 'expired', EXPIRED_SENTENCE)
  leave_queue(id, model)
end

local function expire_due(model, now, retention_ms)
  local due = redis.call('ZRANGE', DEADLINES .. model, '-inf', digits(now), 'BYSCORE', 'LIMIT', 0, AT_ONCE)
  for _, id in ipairs(due) do
    if field(id, 'status') == 'queued' then
      expire(id, model, retention_ms)
    else
      redis.call('ZREM', DEADLINES .. model, id)  -- no record: it was deleted by hand
    end
  end
  return due
end

-- An attempt died with its worker: back to the queue, or failed once it has cost `max_attempts` workers.
local function lose(id, model, now, max_attempts, retention_ms)
  local lost = redis.call('HINCRBY', TASK .. id, 'lost', 1)
  if lost >= max_attempts then
    fail(id, 'reap', 'running', model, now, retention_ms, 'worker_lost',
         'The worker died while it ran this task, ' .. lost .. ' times in all.')
    return 'failed'
  end
  move(id, 'reap', 'running', 'queued')
  back_to_queue(id, model)
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

-- The task as it is though no reaper has come by yet to write it down: past its deadline it has expired.
local function past_deadline(task, deadline, retention_ms)
  local overlay = {status = 'failed', finished = digits(deadline), expires = digits(deadline + retention_ms),
                   error_code = 'expired', error_message = EXPIRED_SENTENCE}
  for i, name in ipairs(FIELDS) do task[i] = overlay[name] or task[i] end
  return task
end

-- A replica may not have heard of a task yet that its primary has accepted: it must not say that there is none.
local function require_primary()
  local ok, replication = pcall(redis.call, 'INFO', 'replication')
  if ok and string.find(replication, 'role:slave', 1, true) then
    error({err = 'READONLY this server is a replica'})
  end
end

local function absent(id)
  require_primary()
  return redis.call('EXISTS', GONE .. id) == 1 and 'gone' or false
end

-- A task as its readers see it: the FIELDS, then what is known of its wait. 'gone' if there was one, false if not.
local function read(id, retention_ms)
  local task = redis.call('HMGET', TASK .. id, unpack(FIELDS))
  local model, status = task[1], task[2]
  if not model then return absent(id) end
  if status ~= 'queued' then return {task, false} end
  local now, deadline = now_ms(), tonumber(field(id, 'deadline'))
  if deadline and deadline <= now then return {past_deadline(task, deadline, retention_ms), false} end
  local workers = alive_workers(model, now)
  local rank = redis.call('ZRANK', QUEUE .. model, id)
  return {task, {(rank or 0) + 1, slots_of(model, workers), #workers, typical_run_ms(model)}}
end
