-- What there is and what has happened, for monitoring. ARGV models. Returns for each {queued, running, ms that the oldest
-- queued task has waited, {worker, slots, worker, slots ...}, {name, count, name, count ...}}, and then how many
-- deliveries wait. However many tasks there are, it takes the same time.

-- The first of each tier is the oldest there: places are given in the order of arrival, and kept. Of those that a retry
-- has brought, the latest retry counts.
local function waited(model, now)
  local longest = 0
  for tier = 0, #SUFFIXES - 1 do
    local first, past = digits(tier * TIER), '(' .. digits((tier + 1) * TIER)
    local id = redis.call('ZRANGE', QUEUE .. model, first, past, 'BYSCORE', 'LIMIT', 0, 1)[1]
    local since = id and tonumber(field(id, 'again') or field(id, 'created'))
    longest = math.max(longest, now - (since or now))
  end
  return longest
end

local now, rows = now_ms(), {}
for i, model in ipairs(ARGV) do
  local workers, slots = alive_workers(model, now), {}
  for n, worker in ipairs(workers) do
    slots[2 * n - 1], slots[2 * n] = worker, redis.call('HGET', SLOTS .. model, worker) or '0'
  end
  rows[i] = {redis.call('ZCARD', QUEUE .. model), redis.call('ZCARD', LEASES .. model), waited(model, now), slots,
             redis.call('HGETALL', COUNTS .. model)}
end
rows[#rows + 1] = redis.call('ZCARD', OUTBOX)
return rows
