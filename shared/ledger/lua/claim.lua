-- Win the right to run a task. ARGV id, worker, lease_ms.
-- Returns {attempt, model, input}, or false: it is not queued (any more), so whoever asks has nothing to do.
-- A running task whose lease expired is not claimed here: the reaper, which looks twice, queues it again first.
local id, worker, lease_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
local task = redis.call('HMGET', TASK .. id, 'status', 'model', 'input')
if task[1] ~= 'queued' then return false end
local now, model = now_ms(), task[2]
move(id, 'claim', 'queued', 'running')
local attempt = redis.call('HINCRBY', TASK .. id, 'attempt', 1)
leave_queue(id, model)
redis.call('SADD', MODELS, model)
redis.call('ZADD', LEASES .. model, digits(now + lease_ms), id)
redis.call('HSET', TASK .. id, 'worker', worker, 'started', digits(now))
return {attempt, model, task[3]}
