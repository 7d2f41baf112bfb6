-- Have a failed or canceled task queued again, at the tail, with as many attempts to lose as a new one.
-- ARGV id, owner, max_queued, max_queued_of_owner or '', retention_ms.
-- Returns {'retried', the task}; {'unmoved', the task}, which neither failed nor was canceled; {'absent', 'gone' or
-- false}; or a refusal, as submit does.
local id, owner = ARGV[1], ARGV[2]
local max_queued, max_of_owner, retention_ms = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
if not owns(owner, id) then return {'absent', absent(id, owner)} end
local task = redis.call('HMGET', TASK .. id, 'model', 'deadline', 'place', 'patience', 'key')
local model, deadline, place, patience_ms, key = task[1], tonumber(task[2]), task[3], tonumber(task[4]), task[5]
local now = now_ms()
if field(id, 'status') == 'queued' and deadline and deadline <= now then expire(id, model, retention_ms) end
local status = field(id, 'status')
if not (ALLOWED.retry[status] and ALLOWED.retry[status].queued) then
  return {'unmoved', read(id, owner, retention_ms)}
end
local refused = refusal(model, owner, now, max_queued, max_of_owner, retention_ms)
if refused then return refused end

move(id, 'retry', status, 'queued')
redis.call('HDEL', TASK .. id, 'finished', 'expires', 'started', 'lost', 'error_code', 'error_message')
redis.call('PERSIST', TASK .. id)
redis.call('DEL', GONE .. id)
redis.call('ZREM', ENDING, ending(owner, model, status, id))
if key then redis.call('PERSIST', KEY .. owner .. ':' .. key) end
arrive(id, model, owner, tier_of(place), next_order(), now, patience_ms)
return {'retried', read(id, owner, retention_ms)}
