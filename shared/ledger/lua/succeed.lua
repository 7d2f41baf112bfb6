-- Publish the result of an attempt. ARGV id, token, retention_ms, result. Returns 1, or 0 if the claim is not held;
-- 1 also when this claim has published before.
local id, token, retention_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
if not holds(id, token) then return has_ended(id, token, 'succeeded') and 1 or 0 end
local now, model = now_ms(), field(id, 'model')
local started = tonumber(field(id, 'started'))
move(id, 'finish', 'running', 'succeeded')
remember(RUNTIMES .. model, digits(math.max(now - started, 0)))
redis.call('HSET', TASK .. id, 'result', ARGV[4])
redis.call('HDEL', TASK .. id, 'input')
close(id, model, now, retention_ms)
return 1
