-- Accept a task: its record, its place in the queue and its message, all or nothing.
-- ARGV id, model, owner, input, limit_ms or '', expires_in_ms or '', max_queued, max_queued_of_owner or '',
-- retention_ms. Returns the task; or, if it was not accepted, {reason, how many wait, ms until a place falls free or
-- false}. The same id again returns the task that is there: a retry after a lost answer does no harm.
local id, model, owner, input = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local limit_ms, expires_in_ms = tonumber(ARGV[5]), tonumber(ARGV[6])
local max_queued, max_of_owner, retention_ms = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])

-- At which pace places fall free: measured on the latest claims, the time since the last of them included.
local function ms_per_claim(now)
  local claims = redis.call('LRANGE', CLAIMS .. model, 0, -1)
  return #claims > 0 and math.ceil((now - tonumber(claims[#claims])) / #claims)
end

local function refusal(now)
  local queued, owned = redis.call('ZCARD', QUEUE .. model), redis.call('SCARD', WAITING .. owner)
  if queued >= max_queued then return {'queue_full', queued, ms_per_claim(now)} end
  if max_of_owner and owned >= max_of_owner then return {'owner_full', owned, ms_per_claim(now)} end
  return false
end

if redis.call('EXISTS', TASK .. id) == 1 then return read(id, retention_ms) end
local now = now_ms()
local refused = refusal(now)
if refused and #expire_due(model, now, retention_ms) > 0 then refused = refusal(now) end
if refused then return refused end

local order = redis.call('INCR', ORDER)
redis.call('HSET', TASK .. id, 'model', model, 'status', 'queued', 'created', digits(now), 'order', order,
           'input', input)
if owner ~= '' then redis.call('HSET', TASK .. id, 'owner', owner) end
if limit_ms then redis.call('HSET', TASK .. id, 'limit', digits(limit_ms)) end
if expires_in_ms then
  redis.call('HSET', TASK .. id, 'deadline', digits(now + expires_in_ms))
  redis.call('ZADD', DEADLINES .. model, digits(now + expires_in_ms), id)
end
enter_queue(id, model, owner, order)
redis.call('LPUSH', list_key(model), message(id, list_key(model), id))
return read(id, retention_ms)
