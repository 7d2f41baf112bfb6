-- A worker saw its own child die: take its tasks back without waiting for their leases. ARGV nonce and nonce or '' of its
-- requests to claim, max_attempts, retention_ms, models. Returns {id, new status, attempt, request or ''} ...
local now, verdicts = now_ms(), {}
for _, id in ipairs(last_first(left_by({ARGV[1], ARGV[2]}, {unpack(ARGV, 5)}))) do
  verdicts[#verdicts + 1] = verdict(id, lose(look(id), now, tonumber(ARGV[3]), tonumber(ARGV[4])))
end
return verdicts
