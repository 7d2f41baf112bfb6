-- ARGV retention_ms, models whose outlook is known, then id and owner of each. Returns what `read` returns of the first of them, of one at least: it
-- stops once the results are large together, so that neither the server nor who asked has a reply to hold of any size.
local ENOUGH_BYTES = 256 * 1024
local found, bytes = {}, 0
for i = 3, #ARGV, 2 do
  local task = read(ARGV[i], ARGV[i + 1], tonumber(ARGV[1]), ARGV[2])
  found[#found + 1] = task
  local result = type(task) == 'table' and task[1][#FIELDS]
  if type(result) == 'string' then bytes = bytes + #result end
  if bytes >= ENOUGH_BYTES then break end
end
return found
