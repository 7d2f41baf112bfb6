-- Count one request of an owner against its rate. ARGV owner, quota, window_ms.
-- Returns {1 if it is admitted or 0, how many more would be now, ms until none is missing, ms until the next if refused}.
--
-- The generic cell rate algorithm: one instant for each owner, at which all that was admitted would have been spread
-- evenly. It may lie at most one window ahead; so the whole quota may come at once, and after that one for each
-- `window / quota`. No list of requests is kept, and no window has an edge at which twice the quota could come.
local key, quota, window, now = RATE .. ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), now_ms()
local apart = window / quota
local ahead = math.max(tonumber(redis.call('GET', key) or now) - now, 0)
if ahead + apart > window then
  return {0, 0, math.ceil(ahead), math.ceil(ahead + apart - window)}
end
ahead = ahead + apart
redis.call('SET', key, string.format('%.3f', now + ahead), 'PX', math.ceil(ahead))
return {1, math.floor((window - ahead) / apart + 1e-9), math.ceil(ahead), 0}
