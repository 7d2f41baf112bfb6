-- End an attempt with an error. ARGV id, token, retention_ms, code, sentence.
-- Returns 1, or 0 if the claim is not held.
local id, token = ARGV[1], ARGV[2]
if not holds(id, token) then return 0 end
fail(id, 'finish', field(id, 'model'), now_ms(), tonumber(ARGV[3]), ARGV[4], ARGV[5])
return 1
