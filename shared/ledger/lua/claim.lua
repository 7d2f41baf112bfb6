-- Win the right to run a task. ARGV id, worker, nonce, lease_ms, retention_ms.
-- Returns {attempt, model, input, limit in ms or false}, or false: it is not queued (any more), so whoever asks has
-- nothing to do. The same nonce again wins the same claim again: its answer was lost on the way.
-- A running task whose lease expired is not claimed here: the reaper, which looks twice, queues it again first.
local id, worker, nonce, lease_ms, retention_ms = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local task = redis.call('HMGET', TASK .. id, 'status', 'model', 'input', 'limit', 'deadline', 'attempt', 'nonce')
local status, model, input, limit, deadline = task[1], task[2], task[3], tonumber(task[4]), tonumber(task[5])
local now = now_ms()

if status == 'running' and task[7] == nonce then
  redis.call('ZADD', LEASES .. model, 'XX', digits(now + lease_ms), id)
  return {tonumber(task[6]), model, input, limit or false}
end
if status ~= 'queued' then return false end
if deadline and deadline <= now then
  expire(id, model, retention_ms)
  return false
end
move(id, 'claim', 'queued', 'running')
local attempt = redis.call('HINCRBY', TASK .. id, 'attempt', 1)
leave_queue(id, model)
remember(CLAIMS .. model, digits(now))
redis.call('SADD', MODELS, model)
redis.call('ZADD', LEASES .. model, digits(now + lease_ms), id)
redis.call('HSET', TASK .. id, 'worker', worker, 'nonce', nonce, 'started', digits(now))
return {attempt, model, input, limit or false}
