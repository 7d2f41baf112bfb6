-- An owner's tasks, the newest first. ARGV owner, limit, before (a number, or ''), retention_ms, model or '', models whose
-- outlook is known, statuses.
-- Returns {the task, its number} for each, without results. Costs the same however many tasks there are: of every
-- model and status it looks at the newest `limit` alone.
local owner, limit, before, retention_ms = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local models = ARGV[5] ~= '' and {ARGV[5]} or redis.call('SMEMBERS', MODELS)

local found = {}
for _, model in ipairs(models) do
  for i = 7, #ARGV do
    local rows = redis.call('ZRANGE', index_key(owner, model, ARGV[i]), before == '' and '+inf' or '(' .. before,
                            '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, limit, 'WITHSCORES')
    for j = 1, #rows, 2 do found[#found + 1] = {id = rows[j], number = tonumber(rows[j + 1])} end
  end
end
table.sort(found, function(one, other) return one.number > other.number end)

local listed = {}
for i = 1, math.min(#found, limit) do
  -- False if it ended a moment ago and no reaper has come by; its number still tells where the next page starts.
  listed[i] = {found[i].id, found[i].number, view(found[i].id, owner, LISTED, retention_ms, ARGV[6])}
end
return listed
