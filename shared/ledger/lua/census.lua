-- What is served. ARGV models. Returns for each {queued, running, workers, slots, typical run time in ms or false,
-- {memory of the children of each worker, or false}, mean size of its latest batches or false}.
local now, rows = now_ms(), {}
for i, model in ipairs(ARGV) do
  local workers = alive_workers(model, now)
  local overdue = redis.call('ZCOUNT', DEADLINES .. model, '-inf', digits(now))
  rows[i] = {redis.call('ZCARD', QUEUE .. model) - overdue, redis.call('ZCARD', LEASES .. model), #workers,
             slots_of(model, workers), typical_run_ms(model),
             #workers > 0 and redis.call('HMGET', MEMORY, unpack(workers)) or {},
             mean_batch(model)}
end
return rows
