-- What there is and what has happened, for monitoring. ARGV models. Returns for each {queued, running, ms that the oldest
-- queued task has waited, {worker, slots, worker, slots ...}, {name, count, name, count ...}}, and then how many
-- deliveries wait. However many tasks there are, it takes the same time.

local now, rows = now_ms(), {}
for i, model in ipairs(ARGV) do
  local workers, slots = alive_workers(model, now), {}
  for n, worker in ipairs(workers) do
    slots[2 * n - 1], slots[2 * n] = worker, redis.call('HGET', SLOTS .. model, worker) or '0'
  end
  rows[i] = {redis.call('ZCARD', QUEUE .. model), redis.call('ZCARD', LEASES .. model), longest_wait(model, now), slots,
             redis.call('HGETALL', COUNTS .. model)}
end
rows[#rows + 1] = redis.call('ZCARD', OUTBOX)
return rows
