-- Take what is to be delivered now. ARGV limit, hold_ms: for so long nobody else is given it, and then somebody is;
-- then "<id>:<n>", try of each that the caller has taken before and not come to an end with: it is held for longer.
-- Returns {"<id>:<n>", try, url, owner, model, status, finished} for each that is new.
local limit, hold_ms, now, taken = tonumber(ARGV[1]), tonumber(ARGV[2]), now_ms(), {}
for n = 3, #ARGV, 2 do
  local member, due = ARGV[n], redis.call('ZSCORE', OUTBOX, ARGV[n])
  -- Not at every look: each would be a write, and a new "next_attempt_at" in the task's document.
  if due and tonumber(due) < now + hold_ms / 2 and redis.call('HGET', DELIVERY .. member, 'tries') == ARGV[n + 1] then
    redis.call('ZADD', OUTBOX, digits(now + hold_ms), member)
  end
end
for _, member in ipairs(redis.call('ZRANGE', OUTBOX, '-inf', digits(now), 'BYSCORE', 'LIMIT', 0, limit)) do
  local told = redis.call('HMGET', DELIVERY .. member, 'url', 'owner', 'model', 'status', 'finished')
  if told[1] then
    local try = redis.call('HINCRBY', DELIVERY .. member, 'tries', 1)
    redis.call('ZADD', OUTBOX, digits(now + hold_ms), member)
    taken[#taken + 1] = {member, try, unpack(told)}
  else
    redis.call('ZREM', OUTBOX, member)  -- the task's retention has ended
  end
end
return taken
