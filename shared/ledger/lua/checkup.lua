-- What an operator looks at first. No ARGV. Returns {now in ms, {{model, queued, running, ms that the oldest queued task
-- has waited, how many leases have ended, ms since the first did, {{worker, slots, busy, shape} ...}} ...},
-- {deliveries that wait, ms for which the first is overdue, most tries of the first hundred}}.
local now, models = now_ms(), redis.call('SMEMBERS', MODELS)

-- How many children of each worker hold a claim: one of however many tasks has one nonce. Of the first AT_ONCE running
-- tasks in all; where more run, the rest count as free.
local function busy_children()
  local busy, seen, left = {}, {}, AT_ONCE
  for _, model in ipairs(models) do
    for _, id in ipairs(left > 0 and redis.call('ZRANGE', LEASES .. model, 0, left - 1) or {}) do
      local held = redis.call('HMGET', TASK .. id, 'worker', 'nonce')
      left = left - 1
      if held[1] and held[2] and not seen[held[2]] then
        seen[held[2]] = true
        busy[held[1]] = (busy[held[1]] or 0) + 1
      end
    end
  end
  return busy
end

local function since_first(key)
  local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
  return first and math.max(now - tonumber(first), 0) or 0
end

local function workers_of(model, busy)
  local rows = {}
  for i, worker in ipairs(alive_workers(model, now)) do
    rows[i] = {worker, redis.call('HGET', SLOTS .. model, worker) or '0', busy[worker] or 0,
               redis.call('HGET', SHAPES .. model, worker) or ''}
  end
  return rows
end

local function most_tries()
  local most = 0
  for _, member in ipairs(redis.call('ZRANGE', OUTBOX, 0, 99)) do
    most = math.max(most, tonumber(redis.call('HGET', DELIVERY .. member, 'tries') or 0))
  end
  return most
end

local busy, rows = busy_children(), {}
for i, model in ipairs(models) do
  local leases = LEASES .. model
  rows[i] = {model, redis.call('ZCARD', QUEUE .. model), redis.call('ZCARD', leases), longest_wait(model, now),
             redis.call('ZCOUNT', leases, '-inf', digits(now)), since_first(leases), workers_of(model, busy)}
end
return {now, rows, {redis.call('ZCARD', OUTBOX), since_first(OUTBOX), most_tries()}}
