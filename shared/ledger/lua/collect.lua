-- Take what is to be delivered now. ARGV limit, hold_ms: for so long nobody else is given it, and then somebody is.
-- Returns {"<id>:<n>", try, url, owner, model, status, finished} for each.
local limit, hold_ms, now, taken = tonumber(ARGV[1]), tonumber(ARGV[2]), now_ms(), {}
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
