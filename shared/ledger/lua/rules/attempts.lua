-- Claims: who gets which tasks, and what becomes of those whose child died.

local BATCH_BYTES = 8 * 1024 * 1024  -- of inputs that are claimed together: they travel in one reply

-- A claimed task as its child is told of it.
local function told(task, now)
  return {task.id, task.attempt, task.input, tonumber(task.limit) or false,
          now - (tonumber(task.again or task.created) or now), task.request or '', task.trace or ''}
end

local CLAIMED = {'status', 'model', 'owner', 'number', 'attempt', 'deadline', 'missing', 'place', 'key', 'callback',
                 'alone', 'limit', 'input', 'created', 'again', 'request', 'trace'}

-- The tasks of a model that are claimed now: `first`, if it is queued, and those that come next in the queue, `most` at
-- most. One that must be alone comes with no other. With a `most` of 0 it is `first` or nothing.
local function gather(model, most, first, now, retention_ms)
  local batch, bytes = {most = most}, 0
  local function add(id)
    local task = look_at(id, CLAIMED)
    if is_overdue(task, now) then
      expire(task, retention_ms)
    elseif task.status ~= 'queued' then
      redis.call('ZREM', QUEUE .. model, id)  -- no record: it was deleted by hand
    elseif #batch == 0 or not task.alone and bytes + #task.input <= BATCH_BYTES then
      batch[#batch + 1] = task
      bytes = bytes + #task.input
    end
    return #batch >= most or #batch > 0 and batch[1].alone
  end
  if first and add(first) then return batch end
  for _ = 1, 10 do  -- again if all of those have expired
    local ids = redis.call('ZRANGE', QUEUE .. model, 0, most - 1)
    for _, id in ipairs(ids) do
      if id ~= first and add(id) then return batch end
    end
    if #batch > 0 or #ids == 0 then return batch end
  end
  return batch
end

-- How many ms the tasks of a model should wait for company yet, 0 if they should not.
local function ms_to_wait(wanted, now)
  if wanted.wait_ms == 0 or redis.call('ZCARD', QUEUE .. wanted.model) >= wanted.most then return 0 end
  local head = redis.call('ZRANGE', QUEUE .. wanted.model, 0, 0)[1]
  local waited = head and now - (tonumber(field(head, 'created')) or 0) or wanted.wait_ms
  return math.max(wanted.wait_ms - waited, 0)
end

-- Of which models a child takes tasks beside the one it was woken for: {model, most at once, ms to wait for company},
-- from the arguments at `i` on.
local function read_wanted(i)
  local wanted = {}
  for j = i, #ARGV, 3 do
    wanted[#wanted + 1] = {model = ARGV[j], most = tonumber(ARGV[j + 1]), wait_ms = tonumber(ARGV[j + 2])}
  end
  return wanted
end

-- Put the models that have queued tasks into the order in which they are asked for one: the most urgent first, and
-- among equals as they came. (Celery's transport does the same.)
local function by_urgency(wanted)
  local found = {}
  for i, each in ipairs(wanted) do
    local head = redis.call('ZRANGE', QUEUE .. each.model, 0, 0, 'WITHSCORES')
    if head[1] then found[#found + 1] = {each, tier_of(head[2]), i, head[1]} end
  end
  if #found > 1 then
    table.sort(found, function(a, b) return a[2] < b[2] or a[2] == b[2] and a[3] < b[3] end)
  end
  return found
end

-- The tasks that are to be claimed: those of the message that woke the child, else what comes next of any model. If all
-- of them had better wait for company: none, and for how many ms.
local function choose(first, wanted, now, retention_ms)
  local model, wait = first and field(first, 'model'), false
  local function gathered(each, hint)
    local ms = ms_to_wait(each, now)
    if ms == 0 then return gather(each.model, each.most, hint, now, retention_ms) end
    wait = math.min(wait or ms, ms)
    return {}
  end
  if model then
    local its = {model = model, most = 0, wait_ms = 0}
    for _, each in ipairs(wanted) do
      if each.model == model then its = each end
    end
    local batch = gathered(its, first)
    if #batch > 0 then return batch end
  end
  for _, each in ipairs(by_urgency(wanted)) do
    local batch = gathered(each[1], each[4])
    if #batch > 0 then return batch end
  end
  return {}, wait
end

local function begin(task, worker, nonce, lease_ms, now, size)
  task.attempt = task.attempt + 1
  move(task, 'claim', 'running', 'attempt', task.attempt, 'worker', worker, 'nonce', nonce, 'started', digits(now),
       'batch', size)
  leave_queue(task)
  redis.call('ZADD', LEASES .. task.model, digits(now + lease_ms), task.id)
end

-- The tasks of `models` that the requests to claim named by `nonces` have won, and that are still theirs.
local function held_by(nonces, models)
  local held, asked = {}, {}
  for _, nonce in ipairs(nonces) do asked[nonce] = true end
  for _, model in ipairs(models) do
    for _, id in ipairs(redis.call('ZRANGE', LEASES .. model, 0, -1)) do
      if asked[field(id, 'nonce')] then held[#held + 1] = id end
    end
  end
  return held
end

local LATE_MS = 15 * 60 * 1000  -- so long, a network may hold back what a client has given up long ago

local function void(nonce, why)
  if nonce ~= '' then redis.call('SET', VOID .. nonce, why, 'PX', LATE_MS) end
end

-- True if a request to claim came too late: after the same request made again, or after its child's death. What it won
-- nobody would hear of.
local function is_void(nonce, again)
  local why = redis.call('GET', VOID .. nonce)
  return why == 'over' or why == 'again' and not again
end

-- What is taken from a child that is dead: what its requests have won, and whatever they would.
local function left_by(nonces, models)
  for _, nonce in ipairs(nonces) do void(nonce, 'over') end
  return held_by(nonces, models)
end

local function models_of(first, wanted)
  local its, models = first and field(first, 'model'), {}
  if its then models[1] = its end
  for _, each in ipairs(wanted) do
    if each.model ~= its then models[#models + 1] = each.model end
  end
  return models
end

-- Win the next tasks. The same nonce `again` wins what it has won before, if it has: the answer was lost on the way.
-- Returns {'claimed', model, {id, attempt, input, limit in ms or false, ms it waited, request or '', trace or ''} ...};
-- {'wait', ms}; or false: there is nothing.
local function claim_next(first, worker, nonce, lease_ms, again, wanted, retention_ms, now)
  if is_void(nonce, again) then return false end
  if again then void(nonce, 'again') end
  local reply = {'claimed'}
  for _, id in ipairs(again and held_by({nonce}, models_of(first, wanted)) or {}) do
    local task = look_at(id, CLAIMED)
    redis.call('ZADD', LEASES .. task.model, 'XX', digits(now + lease_ms), id)
    reply[2] = task.model
    reply[#reply + 1] = told(task, now)
  end
  if #reply > 1 then return reply end
  local batch, wait = choose(first, wanted, now, retention_ms)
  if #batch == 0 then return wait and {'wait', wait} end
  reply[2] = batch[1].model
  local claims = {}
  for i, task in ipairs(batch) do
    begin(task, worker, nonce, lease_ms, now, #batch)
    if task.id ~= first then take_hint(task) end  -- the message of the first has come
    reply[i + 2], claims[math.min(i, LATEST_KEPT)] = told(task, now), digits(now)
  end
  remember(CLAIMS .. reply[2], unpack(claims))
  count(reply[2], 'claimed', #batch)
  if batch.most > 1 then
    remember(BATCHES .. reply[2], #batch)
    count(reply[2], 'batch:' .. bucket(#batch, SIZES))
    count(reply[2], 'batched', #batch)
  end
  if first and batch[1].id ~= first then put_back(first) end  -- it may wait for company yet
  return reply
end

-- What the log is told of a task that something was done about.
local function verdict(id, word)
  local task = redis.call('HMGET', TASK .. id, 'attempt', 'request')
  return {id, word, tonumber(task[1]) or 0, task[2] or ''}
end

-- An attempt died with its worker: back to the queue, or failed once it has cost `max_attempts` workers. Of a batch
-- nobody knows which task it was: it costs none of them, but each is alone the next time.
local function lose(task, now, max_attempts, retention_ms)
  count(task.model, 'lost')
  if (tonumber(task.batch) or 1) > 1 then
    move(task, 'reap', 'queued', 'alone', 1)
  else
    local lost = redis.call('HINCRBY', TASK .. task.id, 'lost', 1)
    if lost >= max_attempts then
      fail(task, 'reap', now, retention_ms, 'worker_lost',
           'The worker died while it ran this task, ' .. lost .. ' times in all.')
      return 'failed'
    end
    move(task, 'reap', 'queued')
  end
  back_to_queue(task)
  return 'queued'
end

local ENDING_TASK = {'status', 'model', 'owner', 'number', 'attempt', 'nonce', 'key', 'callback', 'batch', 'created',
                     'again', 'started', 'error_code'}

-- End an attempt. Returns 1, or 0 if the claim is not held; 1 also when this claim has ended it so before: the answer
-- was lost, and the child asks again. An empty `code` is a success, and `text` its result; else `text` is a sentence.
local function end_attempt(id, token, code, text, now, retention_ms)
  local task = look_at(id, ENDING_TASK)
  if not holds(task, token) then
    if not is_latest(task, token) then return 0 end
    return (code == '' and task.status == 'succeeded' or task.status == 'failed' and task.error_code == code) and 1 or 0
  end
  if code ~= '' then
    fail(task, 'finish', now, retention_ms, code, text)
    return 1
  end
  close(task, 'finish', 'succeeded', now, retention_ms, 'result', text)
  local ran = math.max(now - tonumber(task.started), 0) / tonumber(task.batch)
  remember(RUNTIMES .. task.model, string.format('%.6g', ran))
  return 1
end

-- End the attempts in the arguments from the third on, in fours.
local function end_attempts(retention_ms, count, now)
  local ended = {}
  for i = 1, count do
    local at = 4 * i - 1
    ended[i] = end_attempt(ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], now, retention_ms)
  end
  return ended
end
