-- What has happened to the tasks of a model, counted in the very step in which it happens: so the numbers add up whoever
-- dies, and are the same whichever process is asked. They only grow, and outlive the tasks. shared/ledger/counts.py reads
-- them.
--
-- field of penstock:counts:<model>                  how often
-- submitted, retried, claimed, lost, released, resent   that has happened to a task, or an attempt
-- ended:<status>:<code>:<wait>:<run>:<whole>        a task has ended so, and each time fell into that bucket (from 1 on;
--                                                   wait and run are empty if it never ran): one count instead of four
-- waited, ran                                       ms, of the tasks that ran
-- idled                                             ms from submit to end, of those that never ran
-- batch:<bucket>, batched                           a claim of so many tasks; how many those were together
-- load:<bucket>, loaded                             a load of the model; ms

-- Upper bounds of the buckets: of times in ms, and of numbers of tasks. What is above all of them goes into one more.
local TIMES, SIZES = %%TIMES%%, %%SIZES%%

local function count(model, what, by) redis.call('HINCRBY', COUNTS .. model, what, by or 1) end

local function bucket(value, bounds)
  local n = 1
  while bounds[n] and value > bounds[n] do n = n + 1 end
  return n
end

-- A task ends: how, and how long everything took, from its submit or its latest retry on.
local function count_end(task, before, finished)
  local asked, started = tonumber(task.again or task.created) or finished, tonumber(task.started)
  local whole, wait, run = math.max(finished - asked, 0), '', ''
  if before == 'running' and started then
    local waited, ran = math.max(started - asked, 0), math.max(finished - started, 0)
    wait, run = bucket(waited, TIMES), bucket(ran, TIMES)
    count(task.model, 'waited', waited)
    count(task.model, 'ran', ran)
  else
    count(task.model, 'idled', whole)
  end
  local how = 'ended:' .. task.status .. ':' .. (task.error_code or '')
  count(task.model, how .. ':' .. wait .. ':' .. run .. ':' .. bucket(whole, TIMES))
end
