-- Cancel a task if it is not final, and drop its record. ARGV id, owner, retention_ms.
-- Returns 1; or 'gone' or false, if there is no such task. That there was one is known until it would have been
-- forgotten anyway, and its Idempotency-Key makes no second task that long.
local id, owner, retention_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
if not owns(owner, id) then return absent(id, owner) end
stop(id, now_ms(), retention_ms)
local model, status = field(id, 'model'), field(id, 'status')
redis.call('ZREM', index_key(owner, model, status), id)
redis.call('ZREM', ENDING, ending(owner, model, status, id))
local member = id .. ':' .. (field(id, 'ends') or 0)  -- whoever forgets a task need not be told of its end
redis.call('ZREM', OUTBOX, member)
redis.call('DEL', TASK .. id, DELIVERY .. member)
redis.call('PUBLISH', TASK .. id, 'forgotten')
return 1
