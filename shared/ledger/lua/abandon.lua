-- A worker saw its own child die: take the task back without waiting for the lease.
-- ARGV id, token, max_attempts, retention_ms. Returns the new status, or false if the claim is not held.
local id, token = ARGV[1], ARGV[2]
if not holds(id, token) then return false end
return lose(id, field(id, 'model'), now_ms(), tonumber(ARGV[3]), tonumber(ARGV[4]))
