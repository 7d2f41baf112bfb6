-- A worker says that it is alive and what it can run. ARGV worker, believed_ms, then model, slots, model, slots ...
-- Zero slots take the worker off the model's list at once: it drains or stops.
local worker, now = ARGV[1], now_ms()
for i = 3, #ARGV, 2 do
  local model, slots = ARGV[i], tonumber(ARGV[i + 1])
  redis.call('SADD', MODELS, model)
  if slots > 0 then
    redis.call('ZADD', WORKERS .. model, digits(now + tonumber(ARGV[2])), worker)
    redis.call('HSET', SLOTS .. model, worker, slots)
  else
    redis.call('ZREM', WORKERS .. model, worker)
    redis.call('HDEL', SLOTS .. model, worker)
  end
end
return 1
