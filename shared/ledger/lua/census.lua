-- What is served. ARGV models. Returns for each {queued, running, workers, slots, typical run time in ms or false}.
local now, rows = now_ms(), {}
for i, model in ipairs(ARGV) do
  local workers = alive_workers(model, now)
  local overdue = redis.call('ZCOUNT', DEADLINES .. model, '-inf', digits(now))
  rows[i] = {redis.call('ZCARD', QUEUE .. model) - overdue, redis.call('ZCARD', LEASES .. model), #workers,
             slots_of(model, workers), typical_run_ms(model)}
end
return rows
