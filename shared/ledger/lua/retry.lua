-- Have a failed or canceled task queued again, at the tail, with as many attempts to lose as a new one.
-- ARGV id, owner, max_queued, max_queued_of_owner or '', retention_ms, models whose outlook is known, request or '', trace or ''.
-- Returns {'retried', the task}; {'unmoved', the task}, which neither failed nor was canceled; {'absent', 'gone' or
-- false}; or a refusal, as submit does.
local id, owner = ARGV[1], ARGV[2]
local max_queued, max_of_owner, retention_ms = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
if not owns(owner, id) then return {'absent', absent(id, owner)} end
local now, task = now_ms(), look(id)
if is_overdue(task, now) then expire(task, retention_ms) end
if not may('retry', task.status, 'queued') then
  return {'unmoved', read(id, owner, retention_ms, ARGV[6])}
end
local refused = refusal(task.model, owner, now, max_queued, max_of_owner, retention_ms)
if refused then return refused end

local place, patience_ms = place_at(tier_of(task.place), next_order()), tonumber(field(id, 'patience'))
local status = task.status
move(task, 'retry', 'queued', 'place', place, 'again', digits(now))
count(task.model, 'retried')
redis.call('ZREM', ENDING, ending(owner, task.model, status, id))
redis.call('HDEL', TASK .. id, 'finished', 'expires', 'started', 'lost', 'error_code', 'error_message', 'batch', 'alone')
for i, name in ipairs({'request', 'trace'}) do
  local value = ARGV[6 + i]
  if value ~= '' then redis.call('HSET', TASK .. id, name, value) else redis.call('HDEL', TASK .. id, name) end
end
redis.call('PERSIST', TASK .. id)
redis.call('DEL', GONE .. id)
if task.key then redis.call('PERSIST', KEY .. owner .. ':' .. task.key) end
local deadline = patience_ms and digits(now + patience_ms)
if deadline then redis.call('HSET', TASK .. id, 'deadline', deadline) end
arrive(id, task.model, place, deadline)
return {'retried', read(id, owner, retention_ms, ARGV[6])}
