-- Note how far an attempt is. ARGV id, token, fraction or '', note or ''. Returns 1, or 0 if the claim is not held.
local id, token = ARGV[1], ARGV[2]
if not holds(id, token) then return 0 end
redis.call('HSET', TASK .. id, 'fraction', ARGV[3], 'note', ARGV[4])
redis.call('PUBLISH', TASK .. id, 'running')
return 1
