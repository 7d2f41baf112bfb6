-- Give tasks back unfinished (a worker that stops, or a batch that is broken off): queued again at once, and no attempt
-- counts as lost. ARGV nonce and nonce or '' of the requests that won them, '1' if each must be alone from now on, models.
-- Returns their ids.
local ids = last_first(left_by({ARGV[1], ARGV[2]}, {unpack(ARGV, 4)}))
for _, id in ipairs(ids) do
  local task = look(id)
  if ARGV[3] == '1' then move(task, 'release', 'queued', 'alone', 1) else move(task, 'release', 'queued') end
  back_to_queue(task)
  count(task.model, 'released')
end
return ids
