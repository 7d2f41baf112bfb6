-- End an attempt with an error. ARGV id, token, retention_ms, code, sentence.
-- Returns 1, or 0 if the claim is not held; 1 also when this claim has ended so before.
local id, token, code = ARGV[1], ARGV[2], ARGV[4]
if not holds(id, token) then
  return has_ended(id, token, 'failed') and field(id, 'error_code') == code and 1 or 0
end
fail(id, 'finish', 'running', field(id, 'model'), now_ms(), tonumber(ARGV[3]), code, ARGV[5])
return 1
