-- Give a task back unfinished (a draining worker): queued again at once, and no attempt counts as lost.
-- ARGV id, token. Returns 1, or 0 if the claim is not held.
local id, token = ARGV[1], ARGV[2]
if not holds(id, token) then return 0 end
move(id, 'release', 'running', 'queued')
back_to_queue(id, field(id, 'model'))
return 1
