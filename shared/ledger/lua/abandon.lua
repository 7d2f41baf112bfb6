-- A worker saw its own child die: take the task back without waiting for the lease.
-- ARGV id, nonce, max_attempts, retention_ms. Returns the new status, or false if that claim is not held.
local id, nonce = ARGV[1], ARGV[2]
local task = redis.call('HMGET', TASK .. id, 'status', 'nonce', 'model')
if task[1] ~= 'running' or task[2] ~= nonce then return false end
return lose(id, task[3], now_ms(), tonumber(ARGV[3]), tonumber(ARGV[4]))
