-- Note how far an attempt is. ARGV id, token, fraction or '', note or ''. Returns 1, or 0 if the claim is not held.
local id = ARGV[1]
if not holds(look(id), ARGV[2]) then return 0 end
redis.call('HSET', TASK .. id, 'fraction', ARGV[3], 'note', ARGV[4])
redis.call('PUBLISH', TASK .. id, 'running')
return 1
