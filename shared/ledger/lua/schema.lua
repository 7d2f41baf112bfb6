-- The ledger's keys. Every script starts with this text; what stands between percent signs is filled in by
-- shared/ledger/scripts.py from shared/task.py and shared/queue.py.
--
-- key                          type    what it holds
-- penstock:task:<id>           hash    one task: every field below
-- penstock:queue:<model>       zset    the queued tasks of a model: id -> place (lowest is next)
-- penstock:leases:<model>      zset    the running tasks of a model: id -> until when its lease is believed, in ms
-- penstock:runtimes:<model>    list    run times in ms of the model's latest successes, newest first (at most 64)
-- penstock:workers:<model>     zset    live workers that have loaded the model: worker -> until when believed, in ms
-- penstock:slots:<model>       hash    worker -> how many of its children can run the model
-- penstock:models              set     models that some worker has served: what the reaper goes through
-- penstock:deadlines:<model>   zset    queued tasks that may expire: id -> when, in ms
-- penstock:waiting:<owner>     set     the queued tasks of one owner
-- penstock:claims:<model>      list    instants of the model's latest claims, newest first (at most 64)
-- penstock:gone:<id>           string  there was such a task: outlives it for as long again as it was kept
-- penstock:tasks:<owner>:<model>:<status>  zset  an owner's tasks in one status: id -> number (highest is newest)
-- penstock:ending              zset    which of those end with their retention: "<owner>:<model>:<status>:<id>" -> when, in ms
-- penstock:key:<owner>:<key>   string  "<id> <fingerprint>" of the submit that came with this Idempotency-Key; ends with the task
-- penstock:outbox              zset    deliveries that are due: "<id>:<n>" -> when to try next, in ms
-- penstock:delivery:<id>:<n>   hash    what is to be told of the nth end of a task: url, owner, model, status, finished, tries,
--                                      state (pending, delivered, failed), answer (of the latest try)
-- penstock:rate:<owner>        string  until when an owner's requests would be spread evenly, in ms: see admit.lua
-- penstock:number:<owner>      string  counter of an owner's submits
-- penstock:order               string  counter of arrivals in any queue
-- penstock.<model><suffix>     list    Celery's queue, a list for each tier of urgency: newest at the left, popped from the right
--
-- field of a task      what it holds
-- model, status        see shared/task.py
-- input, result        JSON, byte for byte as the client and the worker wrote it; a success drops its input
-- created, started, finished, expires      instants in ms
-- owner                who submitted it; absent for the owner '' (no one was asked for a key)
-- number               the nth submit of its owner, kept for good: by this tasks are listed
-- key                  its Idempotency-Key, as part of a key's name; absent if it came without
-- limit                ms it may run, if the client asked for less than the model allows
-- patience             ms it may wait to be claimed for the first time
-- deadline             until when that is; a claim removes it
-- place                its score in penstock:queue:<model>: the tier of urgency, then the order. Kept when it is queued again
-- attempt              how often it was claimed; the latest claim's number is the fencing token
-- lost                 how many attempts ended with a dead worker
-- worker, nonce        who holds the latest claim; which of its requests to claim it was
-- fraction, note       progress of the running attempt
-- error_code, error_message
-- callback             the URL to tell of every end of the task
-- ends                 how often it has ended, if anyone is to be told
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
local TASKS, ENDING, KEY = 'penstock:tasks:', 'penstock:ending', 'penstock:key:'
local NUMBER, OUTBOX, DELIVERY = 'penstock:number:', 'penstock:outbox', 'penstock:delivery:'
local RATE = 'penstock:rate:'
local MODELS, ORDER, CHANNEL = 'penstock:models', 'penstock:order', 'penstock:worker:'
local LATEST_KEPT = 64
local AT_ONCE = 1000  -- bounds how long one script holds Redis up; the rest follows at the next call

local ALLOWED = %%ALLOWED%%
local FIELDS, LISTED = %%FIELDS%%, %%LISTED%%  -- what readers see; what they see in a list
-- Tiers of urgency, 0 being the most urgent: by tier + 1, what Celery's transport appends to the queue's name, and the
-- number it has in a message. A place is `tier * TIER + order`: both stay exact in a double.
local SUFFIXES, LEVELS, TIER = %%SUFFIXES%%, %%LEVELS%%, 2 ^ 40
local EXPIRED_SENTENCE = 'The task was still queued at its deadline.'

local function message(id, queue, tag, level) return %%MESSAGE%% end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Lua prints a large number as 1.7e+12; Redis wants digits.
local function digits(number) return string.format('%.0f', number) end

local function field(id, name) return redis.call('HGET', TASK .. id, name) end

local function owner_of(id) return field(id, 'owner') or '' end

local function next_order() return redis.call('INCR', ORDER) end

local function tier_of(place) return math.floor(tonumber(place) / TIER) end

local function list_key(model, tier) return 'penstock.' .. model .. SUFFIXES[tier + 1] end

-- Put a message into Celery's queue. The tag must differ from every other push: the transport knows a message by it.
local function push(command, id, model, tier, tag)
  redis.call(command, list_key(model, tier), message(id, 'penstock.' .. model, tag, LEVELS[tier + 1]))
end

local function index_key(owner, model, status) return TASKS .. owner .. ':' .. model .. ':' .. status end

local function ending(owner, model, status, id) return owner .. ':' .. model .. ':' .. status .. ':' .. id end

-- The only way a status changes: refuses what the table of transitions does not allow. It comes before a script's
-- other writes, because Redis keeps what a script wrote before it failed.
local function move(id, action, before, after)
  if not (ALLOWED[action][before] and ALLOWED[action][before][after]) then
    error({err = 'PENSTOCK ' .. action .. ' may not move a task from ' .. before .. ' to ' .. after})
  end
  redis.call('HSET', TASK .. id, 'status', after)
  local task = redis.call('HMGET', TASK .. id, 'owner', 'model', 'number')
  redis.call('ZREM', index_key(task[1] or '', task[2], before), id)
  redis.call('ZADD', index_key(task[1] or '', task[2], after), task[3], id)
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

-- Put a message at the head of its list: the task has waited its turn before. A submit puts its own at the tail.
local function hint_next(id, model)
  push('RPUSH', id, model, tier_of(field(id, 'place')), id .. ':' .. digits(next_order()))
end

local function enter_queue(id, model, owner, place)
  redis.call('ZADD', QUEUE .. model, place, id)
  redis.call('SADD', WAITING .. owner, id)
end

-- A task that comes new into the queue, at the tail of its tier: its place, and until when it waits.
local function arrive(id, model, owner, tier, order, now, patience_ms)
  local place = digits(tier * TIER + order)
  redis.call('HSET', TASK .. id, 'place', place)
  if patience_ms then
    redis.call('HSET', TASK .. id, 'patience', digits(patience_ms), 'deadline', digits(now + patience_ms))
    redis.call('ZADD', DEADLINES .. model, digits(now + patience_ms), id)
  end
  enter_queue(id, model, owner, place)
  push('LPUSH', id, model, tier, id .. ':' .. digits(order))
end

local function leave_queue(id, model)
  redis.call('ZREM', QUEUE .. model, id)
  redis.call('ZREM', DEADLINES .. model, id)
  redis.call('SREM', WAITING .. owner_of(id), id)
  redis.call('HDEL', TASK .. id, 'missing', 'deadline')
end

local function back_to_queue(id, model)
  redis.call('ZREM', LEASES .. model, id)
  enter_queue(id, model, owner_of(id), field(id, 'place'))
  redis.call('HDEL', TASK .. id, 'worker', 'nonce', 'sighted', 'fraction', 'note', 'started')
  hint_next(id, model)
end

-- Have somebody told that a task has ended. What is told is written down now: a retry may change the task.
local function post(id, owner, model, status, finished, expires)
  local url = field(id, 'callback')
  if not url then return end
  local member = id .. ':' .. redis.call('HINCRBY', TASK .. id, 'ends', 1)
  redis.call('HSET', DELIVERY .. member, 'url', url, 'owner', owner, 'model', model, 'status', status,
             'finished', digits(finished), 'tries', 0, 'state', 'pending')
  redis.call('PEXPIREAT', DELIVERY .. member, expires)
  redis.call('ZADD', OUTBOX, digits(finished), member)
end

-- What every final state has in common. The record leaves by itself when its retention ends; for as long again it is
-- known that there was one. `finished` is an instant in ms, now or before.
local function close(id, model, finished, retention_ms)
  local expires, task = digits(finished + retention_ms), redis.call('HMGET', TASK .. id, 'owner', 'status', 'key')
  local owner = task[1] or ''
  redis.call('ZREM', LEASES .. model, id)
  redis.call('HDEL', TASK .. id, 'worker', 'nonce', 'sighted', 'fraction', 'note')
  redis.call('HSET', TASK .. id, 'finished', digits(finished), 'expires', expires)
  redis.call('ZADD', ENDING, expires, ending(owner, model, task[2], id))
  redis.call('SET', GONE .. id, owner)
  redis.call('PEXPIREAT', GONE .. id, digits(finished + 2 * retention_ms))
  redis.call('PEXPIREAT', TASK .. id, expires)
  if task[3] then redis.call('PEXPIREAT', KEY .. owner .. ':' .. task[3], expires) end
  post(id, owner, model, task[2], finished, expires)
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

-- Cancel a task that has not ended. A claim that was running stops being held in this very step; its worker is told,
-- and kills the child.
local function stop(id, now, retention_ms)
  local task = redis.call('HMGET', TASK .. id, 'status', 'model', 'worker', 'attempt', 'deadline')
  local status, model, deadline = task[1], task[2], tonumber(task[5])
  if status == 'queued' and deadline and deadline <= now then
    expire(id, model, retention_ms)
  elseif status == 'queued' or status == 'running' then
    move(id, 'cancel', status, 'canceled')
    leave_queue(id, model)
    close(id, model, now, retention_ms)
    if status == 'running' then redis.call('PUBLISH', CHANNEL .. task[3], id .. ' ' .. task[4]) end
  end
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

-- How long the running tasks of a model have run. At most LATEST_KEPT of them: where more run, one slot tells little.
local function elapsed(model, now)
  local times = {}
  for i, id in ipairs(redis.call('ZRANGE', LEASES .. model, 0, LATEST_KEPT - 1)) do
    times[i] = now - (tonumber(field(id, 'started')) or now)
  end
  return times
end

local function running()
  local sum = 0
  for _, model in ipairs(redis.call('SMEMBERS', MODELS)) do sum = sum + redis.call('ZCARD', LEASES .. model) end
  return sum
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

local function absent(id, owner)
  require_primary()
  return redis.call('GET', GONE .. id) == owner and 'gone' or false
end

-- True if there is such a task and it is this owner's. Another owner's is treated just as one that never was.
local function owns(owner, id)
  local task = redis.call('HMGET', TASK .. id, 'model', 'owner')
  return task[1] and (task[2] or '') == owner
end

-- What is known of telling the task's latest end: {url, state, tries, when to try next, answer}. False if nobody is told.
local function delivery_of(id)
  local task = redis.call('HMGET', TASK .. id, 'callback', 'ends')
  if not task[1] then return false end
  local member = id .. ':' .. (task[2] or 0)
  local told = redis.call('HMGET', DELIVERY .. member, 'state', 'tries', 'answer')
  return {task[1], told[1], told[2], redis.call('ZSCORE', OUTBOX, member), told[3]}
end

-- The named fields of a task, model and status first, and what is known of its wait; false if it is not this owner's.
local function view(id, owner, names, retention_ms)
  local task = redis.call('HMGET', TASK .. id, 'owner', unpack(names))
  local its_owner = table.remove(task, 1) or ''
  local model, status = task[1], task[2]
  if not model or its_owner ~= owner then return false end
  if status ~= 'queued' then return {task, false, delivery_of(id)} end
  local now, deadline = now_ms(), tonumber(field(id, 'deadline'))
  if deadline and deadline <= now then return {past_deadline(task, deadline, retention_ms), false, delivery_of(id)} end
  local workers = alive_workers(model, now)
  local rank, times = redis.call('ZRANK', QUEUE .. model, id), elapsed(model, now)
  return {task, {(rank or 0) + 1, slots_of(model, workers), #workers, redis.call('LRANGE', RUNTIMES .. model, 0, -1),
                 times, running() - #times}, delivery_of(id)}
end

-- A task as its owner sees it. 'gone' if there was one, false if not.
local function read(id, owner, retention_ms)
  return view(id, owner, FIELDS, retention_ms) or absent(id, owner)
end

-- At which pace places fall free: measured on the latest claims, the time since the last of them included.
local function ms_per_claim(model, now)
  local claims = redis.call('LRANGE', CLAIMS .. model, 0, -1)
  return #claims > 0 and math.ceil((now - tonumber(claims[#claims])) / #claims)
end

local function fullness(model, owner, now, max_queued, max_of_owner)
  local queued, owned = redis.call('ZCARD', QUEUE .. model), redis.call('SCARD', WAITING .. owner)
  if queued >= max_queued then return {'queue_full', queued, ms_per_claim(model, now)} end
  if max_of_owner and owned >= max_of_owner then return {'owner_full', owned, ms_per_claim(model, now)} end
  return false
end

-- Why one more task may not wait: {reason, how many wait, ms until a place falls free or false}; false if it may.
local function refusal(model, owner, now, max_queued, max_of_owner, retention_ms)
  local refused = fullness(model, owner, now, max_queued, max_of_owner)
  if refused and #expire_due(model, now, retention_ms) > 0 then
    refused = fullness(model, owner, now, max_queued, max_of_owner)
  end
  return refused
end
