-- Accept a task: its record, its place in the queue and its message, all or nothing.
-- ARGV id, model, owner, input, tier, limit_ms or '', patience_ms or '', key or '', fingerprint, callback or '',
-- max_queued, max_queued_of_owner or '', retention_ms, models whose outlook is known, request or '', trace or ''.
-- Returns {'accepted', the task}; or {'replayed', id, what `read` says of the task that came with this key before}; or
-- {'key_reused'}, if that one was another request; or {'queue_full' or 'owner_full', how many wait, ms until a place
-- falls free or false}. The same id again is accepted again: a retry after a lost answer does no harm.
local id, model, owner, input, tier = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local limit_ms, patience_ms, key, fingerprint = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8], ARGV[9]
local callback, max_queued, max_of_owner = ARGV[10], tonumber(ARGV[11]), tonumber(ARGV[12])
local retention_ms, known_outlooks = tonumber(ARGV[13]), ARGV[14]

if redis.call('EXISTS', TASK .. id) == 1 then return {'accepted', read(id, owner, retention_ms, known_outlooks)} end
local known = key ~= '' and redis.call('GET', KEY .. owner .. ':' .. key)
if known then
  local first, its_fingerprint = string.match(known, '^(%S+) (%S+)$')
  if its_fingerprint ~= fingerprint then return {'key_reused'} end
  return {'replayed', first, read(first, owner, retention_ms, known_outlooks)}
end
local now = now_ms()
local refused = refusal(model, owner, now, max_queued, max_of_owner, retention_ms)
if refused then return refused end

local number, place = redis.call('INCR', NUMBER .. owner), place_at(tier, next_order())
local record = {'model', model, 'status', 'queued', 'created', digits(now), 'number', number, 'place', place,
                'input', input}
local function add(name, value)
  record[#record + 1] = name
  record[#record + 1] = value
end
local deadline = patience_ms and digits(now + patience_ms)
if owner ~= '' then add('owner', owner) end
if callback ~= '' then add('callback', callback) end
if ARGV[15] ~= '' then add('request', ARGV[15]) end
if ARGV[16] ~= '' then add('trace', ARGV[16]) end
if limit_ms then add('limit', digits(limit_ms)) end
if patience_ms then
  add('patience', digits(patience_ms))
  add('deadline', deadline)
end
if key ~= '' then
  add('key', key)
  redis.call('SET', KEY .. owner .. ':' .. key, id .. ' ' .. fingerprint)
end
redis.call('HSET', TASK .. id, unpack(record))
redis.call('ZADD', index_key(owner, model, 'queued'), number, id)
arrive(id, model, place, deadline)
count(model, 'submitted')
-- What `read` would say of it.
local fresh = {model, 'queued', digits(now)}
for i = #fresh + 1, #FIELDS do fresh[i] = false end
return {'accepted', {fresh, wait_of(id, model, now, known_outlooks), delivery_of(id, callback ~= '' and callback)}}
