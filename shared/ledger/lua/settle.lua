-- Note what came of a try to deliver. ARGV "<id>:<n>", try, state, ms until the next try or '', answer.
-- Returns 1, or 0 if it is not this try's to say any more: it took longer than it was held, or the task was forgotten.
local member, try, state, pause_ms, answer = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local told = redis.call('HMGET', DELIVERY .. member, 'tries', 'state')
if told[1] ~= try or told[2] ~= 'pending' then return 0 end
redis.call('HSET', DELIVERY .. member, 'state', state, 'answer', answer)
if pause_ms then
  redis.call('ZADD', OUTBOX, 'XX', digits(now_ms() + pause_ms), member)
else
  redis.call('ZREM', OUTBOX, member)
end
return 1
