-- Take tasks out of the indexes whose retention has ended: their records end by themselves, their places do not.
-- Returns 1 if there may be more of them; how many one step takes is bounded.
local due = redis.call('ZRANGE', ENDING, '-inf', digits(now_ms()), 'BYSCORE', 'LIMIT', 0, AT_ONCE)
local by_index = {}
for _, member in ipairs(due) do
  local owner, model, status, id = string.match(member, '^(.*):([^:]*):([^:]*):([^:]*)$')
  local key = index_key(owner, model, status)
  by_index[key] = by_index[key] or {}
  table.insert(by_index[key], id)
end
for key, ids in pairs(by_index) do redis.call('ZREM', key, unpack(ids)) end
if #due > 0 then redis.call('ZREM', ENDING, unpack(due)) end
return #due == AT_ONCE and 1 or 0
