-- The ledger's keys, and what is read and written everywhere. Every script begins with what it uses of the files in
-- this folder; what stands between percent signs is filled in by shared/ledger/scripts.py from shared/task.py and
-- shared/queue.py.
--
-- key                          type    what it holds
-- penstock:task:<id>           hash    one task: every field below
-- penstock:queue:<model>       zset    the queued tasks of a model: id -> place (lowest is next)
-- penstock:leases:<model>      zset    the running tasks of a model: id -> until when its lease is believed, in ms
-- penstock:runtimes:<model>    list    ms that each of the model's latest successes took of its child, newest first: of
--                                      a batch, its share. The latest 64 count
-- penstock:workers:<model>     zset    live workers that have loaded the model: worker -> until when believed, in ms
-- penstock:slots:<model>       hash    worker -> how many of its children can run the model
-- penstock:shapes:<model>      hash    worker -> which version of the model it has loaded (shared/shape.py)
-- penstock:memory              hash    worker -> "<pss>:<private>" in bytes of each of its children, separated by spaces
-- penstock:models              set     models that have been served or asked for: what the reaper goes through
-- penstock:deadlines:<model>   zset    queued tasks that may expire: id -> when, in ms
-- penstock:claims:<model>      list    instants of the model's latest claims, newest first. The latest 64 count
-- penstock:batches:<model>     list    how many tasks each of the latest claims of a model that batches has won, newest first
-- penstock:counts:<model>      hash    what has happened to the tasks of a model since ever: see rules/counts.lua
-- penstock:gone:<id>           string  there was such a task: outlives it for as long again as it was kept
-- penstock:void:<nonce>        string  this request to claim wins nothing any more, should it still be on its way: 'over', its
--                                      child is dead; 'again', it was made again, and only so may it win
-- penstock:tasks:<owner>:<model>:<status>  zset  an owner's tasks in one status: id -> number (highest is newest)
-- penstock:ending              zset    which of those end with their retention: "<owner>:<model>:<status>:<id>" -> when, in ms
-- penstock:key:<owner>:<key>   string  "<id> <fingerprint>" of the submit that came with this Idempotency-Key; ends with the task
-- penstock:outbox              zset    deliveries that are due: "<id>:<n>" -> when to try next, in ms
-- penstock:delivery:<id>:<n>   hash    what is to be told of the nth end of a task: url, owner, model, status, finished, tries,
--                                      state (pending, delivered, failed), answer (of the latest try)
-- penstock:rate:<owner>        string  until when an owner's requests would be spread evenly, in ms: see admit.lua
-- penstock:number:<owner>      string  counter of an owner's submits
-- penstock:order               string  counter of arrivals in any queue
-- penstock:mark                string  nothing; written so that replicas can be asked for what came before: shared/ledger/replication.py
-- penstock.<model><suffix>     list    Celery's queue, a list for each tier of urgency: newest at the left, popped from the right
--
-- field of a task      what it holds
-- model, status        see shared/task.py
-- input, result        JSON, byte for byte as the client and the worker wrote it; a success drops its input
-- created, started, finished, expires      instants in ms
-- again                when it was queued by its latest retry, in ms; absent before the first
-- owner                who submitted it; absent for the owner '' (no one was asked for a key)
-- number               the nth submit of its owner, kept for good: by this tasks are listed
-- key                  its Idempotency-Key, as part of a key's name; absent if it came without
-- limit                ms it may run, if the client asked for less than the model allows
-- patience             ms it may wait to be claimed for the first time
-- deadline             until when that is; a claim removes it
-- place                its score in penstock:queue:<model>: the tier of urgency, then the order. Kept when it is queued again
-- attempt              how often it was claimed; the latest claim's number is the fencing token
-- lost                 how many attempts ended with a dead worker
-- worker, nonce        who holds the latest claim; which of its requests to claim it was. A request may win several
-- batch                how many tasks that request won, to be computed together; absent while queued
-- alone                set once it died or ran too long in a batch: it is claimed by itself from then on
-- fraction, note       progress of the running attempt
-- error_code, error_message
-- callback             the URL to tell of every end of the task
-- ends                 how often it has ended, if anyone is to be told
-- request, trace       the id of the request that submitted or retried it, and its span (a traceparent), if it is traced:
--                      for the logs and traces of who runs it; a success drops them
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
local DEADLINES, CLAIMS, BATCHES = 'penstock:deadlines:', 'penstock:claims:', 'penstock:batches:'
local COUNTS = 'penstock:counts:'
local GONE, VOID = 'penstock:gone:', 'penstock:void:'
local TASKS, ENDING, KEY = 'penstock:tasks:', 'penstock:ending', 'penstock:key:'
local NUMBER, OUTBOX, DELIVERY = 'penstock:number:', 'penstock:outbox', 'penstock:delivery:'
local RATE, MEMORY, SHAPES = 'penstock:rate:', 'penstock:memory', 'penstock:shapes:'
local MODELS, ORDER, CHANNEL = 'penstock:models', 'penstock:order', 'penstock:worker:'
local LATEST_KEPT = 64
local AT_ONCE = 1000  -- bounds how long one script holds Redis up; the rest follows at the next call

-- Every transition that there may be. A text rather than a table, which would be built anew at every call.
local ALLOWED = %%ALLOWED%%
local FIELDS, LISTED = %%FIELDS%%, %%LISTED%%  -- what readers see; what they see in a list

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Lua prints a large number as 1.7e+12; Redis wants digits.
local function digits(number) return string.format('%.0f', number) end

local function field(id, name) return redis.call('HGET', TASK .. id, name) end

local function index_key(owner, model, status) return TASKS .. owner .. ':' .. model .. ':' .. status end

local function ending(owner, model, status, id) return owner .. ':' .. model .. ':' .. status .. ':' .. id end

-- The named fields of a task, as the steps that change it see it. Its status is false if there is none.
local function look_at(id, names)
  local task, values = {id = id}, redis.call('HMGET', TASK .. id, unpack(names))
  for i = 1, #names do task[names[i]] = values[i] end
  task.owner, task.deadline, task.attempt = task.owner or '', tonumber(task.deadline), tonumber(task.attempt) or 0
  return task
end

local function look(id)
  return look_at(id, {'status', 'model', 'owner', 'number', 'place', 'attempt', 'deadline', 'missing', 'key', 'callback',
                      'batch', 'worker', 'nonce', 'created', 'again', 'started'})
end

local function may(action, before, after)
  return string.find(ALLOWED, ' ' .. action .. ':' .. tostring(before) .. ':' .. after .. ' ', 1, true) ~= nil
end

-- The only way a status changes: refuses what the table of transitions does not allow. It comes before a script's
-- other writes, because Redis keeps what a script wrote before it failed. Fields and values that change too may follow.
local function move(task, action, after, ...)
  local before = task.status
  if not may(action, before, after) then
    error({err = 'PENSTOCK ' .. action .. ' may not move a task from ' .. tostring(before) .. ' to ' .. after})
  end
  redis.call('HSET', TASK .. task.id, 'status', after, ...)
  redis.call('ZREM', index_key(task.owner, task.model, before), task.id)
  redis.call('ZADD', index_key(task.owner, task.model, after), task.number, task.id)
  redis.call('PUBLISH', TASK .. task.id, after)
  task.status = after
end

-- True if `token` is the task's latest claim: "<attempt>:<nonce>". The attempt alone does not tell, since a replica that
-- becomes the primary without having heard of a claim hands out its number again. (Alone it comes from an older worker.)
local function is_latest(task, token)
  local attempt, nonce = string.match(token, '^(%d+):?(.*)$')
  return task.attempt == tonumber(attempt) and (nonce == '' or task.nonce == nonce)
end

-- True if `token` is the claim that holds the task now: the fence that a late or doubled attempt cannot pass.
local function holds(task, token)
  return task.status == 'running' and is_latest(task, token)
end

-- Remember the latest of something, newest first. It is cut now and then; who reads takes LATEST_KEPT.
local function remember(key, ...)
  if redis.call('LPUSH', key, ...) > 4 * LATEST_KEPT then redis.call('LTRIM', key, 0, LATEST_KEPT - 1) end
end

local function latest(key) return redis.call('LRANGE', key, 0, LATEST_KEPT - 1) end
