-- Accept a task: its record, its place in the queue and its message, all or nothing.
-- ARGV id, model, input. Returns the task. The same id again returns the task that is there: a retry after a lost
-- answer does no harm.
local id, model, input = ARGV[1], ARGV[2], ARGV[3]
if redis.call('EXISTS', TASK .. id) == 0 then
  local now, order = now_ms(), redis.call('INCR', ORDER)
  redis.call('HSET', TASK .. id, 'model', model, 'status', 'queued', 'created', digits(now), 'order', order,
             'input', input)
  redis.call('ZADD', QUEUE .. model, order, id)
  redis.call('LPUSH', list_key(model), message(id, list_key(model), id))
end
return read(id)
