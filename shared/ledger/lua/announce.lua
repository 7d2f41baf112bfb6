-- A worker says that it is alive, what memory its children take, and what it can run.
-- ARGV worker, believed_ms, memory (see rules/keys.lua; '' if it was not measured), then model, slots, shape or '' ...
-- Zero slots take the worker off the model's list at once: it drains or stops.
local worker, memory, now, serves = ARGV[1], ARGV[3], now_ms(), false
for i = 4, #ARGV, 3 do
  local model, slots, shape = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]
  redis.call('SADD', MODELS, model)
  if slots > 0 then
    serves = true
    redis.call('ZADD', WORKERS .. model, digits(now + tonumber(ARGV[2])), worker)
    redis.call('HSET', SLOTS .. model, worker, slots)
    if shape ~= '' then redis.call('HSET', SHAPES .. model, worker, shape) end
  else
    redis.call('ZREM', WORKERS .. model, worker)
    redis.call('HDEL', SLOTS .. model, worker)
    redis.call('HDEL', SHAPES .. model, worker)
  end
end
if serves and memory ~= '' then
  redis.call('HSET', MEMORY, worker, memory)
else
  redis.call('HDEL', MEMORY, worker)
end
return 1
