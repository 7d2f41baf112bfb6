-- Extend the leases of one worker's children, all in one step. ARGV lease_ms, then id, token, id, token ...
-- Returns the ids whose claim is no longer held: canceled, reaped, or forgotten.
local lease_ms, now, lost = tonumber(ARGV[1]), now_ms(), {}
for i = 2, #ARGV, 2 do
  local id, token = ARGV[i], ARGV[i + 1]
  local task = look(id)
  if holds(task, token) then
    redis.call('ZADD', LEASES .. task.model, 'XX', digits(now + lease_ms), id)
    redis.call('HDEL', TASK .. id, 'sighted')
  else
    lost[#lost + 1] = id
  end
end
return lost
