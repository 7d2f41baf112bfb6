-- What readers see.

local function alive_workers(model, now)
  return redis.call('ZRANGE', WORKERS .. model, '(' .. digits(now), '+inf', 'BYSCORE')
end

local function slots_of(model, workers)
  if #workers == 0 then return 0 end
  local sum = 0
  for _, slots in ipairs(redis.call('HMGET', SLOTS .. model, unpack(workers))) do
    sum = sum + (tonumber(slots) or 0)
  end
  return sum
end

-- How many ms the oldest queued task of a model has waited, 0 if there is none. The first of each tier is the oldest there:
-- places are given in the order of arrival, and kept. Of a task that was retried, the latest retry counts.
local function longest_wait(model, now)
  local longest = 0
  for tier = 0, #SUFFIXES - 1 do
    local first, past = digits(tier * TIER), '(' .. digits((tier + 1) * TIER)
    local id = redis.call('ZRANGE', QUEUE .. model, first, past, 'BYSCORE', 'LIMIT', 0, 1)[1]
    local since = id and tonumber(field(id, 'again') or field(id, 'created'))
    longest = math.max(longest, now - (since or now))
  end
  return longest
end

local function typical_run_ms(model)
  local times = latest(RUNTIMES .. model)
  if #times == 0 then return false end
  for i = 1, #times do times[i] = tonumber(times[i]) end
  table.sort(times)
  return tostring(times[math.ceil(#times / 2)])
end

local function mean_batch(model)
  local sizes, sum = latest(BATCHES .. model), 0
  for _, size in ipairs(sizes) do sum = sum + size end
  return #sizes > 0 and string.format('%.3g', sum / #sizes)
end

-- How long the running tasks of a model have run. At most LATEST_KEPT of them: where more run, one slot tells little.
local function elapsed(model, now)
  local times = {}
  for i, id in ipairs(redis.call('ZRANGE', LEASES .. model, 0, LATEST_KEPT - 1)) do
    times[i] = now - (tonumber(field(id, 'started')) or now)
  end
  return times
end

local function running()
  local sum = 0
  for _, model in ipairs(redis.call('SMEMBERS', MODELS)) do sum = sum + redis.call('ZCARD', LEASES .. model) end
  return sum
end

-- What the wait of every task of a model depends on: {slots, workers, run times, how long the running ones have run, how
-- many more run}. It is the same for all of them and costs more than the rest of a reading, so a reader names the
-- models of which it has been told a moment ago, each with a comma before and after it, and is not told again: false.
local function outlook(model, now, known)
  if string.find(known, ',' .. model .. ',', 1, true) then return false end
  local workers, times = alive_workers(model, now), elapsed(model, now)
  return {slots_of(model, workers), #workers, latest(RUNTIMES .. model), times, running() - #times}
end

-- Where a queued task stands, and its model's `outlook`.
local function wait_of(id, model, now, known)
  return {(redis.call('ZRANK', QUEUE .. model, id) or 0) + 1, outlook(model, now, known)}
end

-- The task as it is though no reaper has come by yet to write it down: past its deadline it has expired.
local function past_deadline(task, deadline, retention_ms)
  local overlay = {status = 'failed', finished = digits(deadline), expires = digits(deadline + retention_ms),
                   error_code = 'expired', error_message = EXPIRED_SENTENCE}
  for i, name in ipairs(FIELDS) do task[i] = overlay[name] or task[i] end
  return task
end

-- A replica may not have heard of a task yet that its primary has accepted: it must not say that there is none.
local function require_primary()
  local ok, replication = pcall(redis.call, 'INFO', 'replication')
  if ok and string.find(replication, 'role:slave', 1, true) then
    error({err = 'READONLY this server is a replica'})
  end
end

local function absent(id, owner)
  require_primary()
  return redis.call('GET', GONE .. id) == owner and 'gone' or false
end

-- True if there is such a task and it is this owner's. Another owner's is treated just as one that never was.
local function owns(owner, id)
  local task = redis.call('HMGET', TASK .. id, 'model', 'owner')
  return task[1] and (task[2] or '') == owner
end

-- What is known of telling the task's latest end: {url, state, tries, when to try next, answer}. False if nobody is told.
local function delivery_of(id, url)
  if not url then return false end
  local member = id .. ':' .. (field(id, 'ends') or 0)
  local tried = redis.call('HMGET', DELIVERY .. member, 'state', 'tries', 'answer')
  return {url, tried[1], tried[2], redis.call('ZSCORE', OUTBOX, member), tried[3]}
end

-- The named fields of a task, model and status first, and what is known of its wait and of its delivery; false if it is not this owner's.
local function view(id, owner, names, retention_ms, known)
  local task = redis.call('HMGET', TASK .. id, 'owner', 'callback', 'deadline', unpack(names))
  local its_owner, url, deadline = table.remove(task, 1), table.remove(task, 1), tonumber(table.remove(task, 1))
  local model, status = task[1], task[2]
  if not model or (its_owner or '') ~= owner then return false end
  if status ~= 'queued' then return {task, false, delivery_of(id, url)} end
  local now = now_ms()
  if deadline and deadline <= now then
    return {past_deadline(task, deadline, retention_ms), false, delivery_of(id, url)}
  end
  return {task, wait_of(id, model, now, known), delivery_of(id, url)}
end

-- The result of a task; a large one is left out, and how many bytes it has stands in its place. Reading it here would
-- copy it, while nobody else is served and for those too who have it already.
local function result_of(id)
  local bytes = redis.call('HSTRLEN', TASK .. id, 'result')
  if bytes >= %%LARGE_BYTES%% then return bytes end
  return field(id, 'result')
end

-- A task as its owner sees it. 'gone' if there was one, false if not.
local function read(id, owner, retention_ms, known)
  local found = view(id, owner, LISTED, retention_ms, known)
  if not found then return absent(id, owner) end
  found[1][#FIELDS] = found[1][2] == 'succeeded' and result_of(id)
  return found
end
