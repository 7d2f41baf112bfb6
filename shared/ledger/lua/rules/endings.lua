-- How a task ends, and what is left of it.

local EXPIRED_SENTENCE = 'The task was still queued at its deadline.'

-- Have somebody told that a task has ended. What is told is written down now: a retry may change the task.
local function post(task, finished, expires)
  local member = task.id .. ':' .. redis.call('HINCRBY', TASK .. task.id, 'ends', 1)
  redis.call('HSET', DELIVERY .. member, 'url', task.callback, 'owner', task.owner, 'model', task.model,
             'status', task.status, 'finished', digits(finished), 'tries', 0, 'state', 'pending')
  redis.call('PEXPIREAT', DELIVERY .. member, expires)
  redis.call('ZADD', OUTBOX, digits(finished), member)
end

-- Move a task to its final state. The record leaves by itself when its retention ends; for as long again it is known
-- that there was one. `finished` is an instant in ms, now or before. More fields and values may follow.
local function close(task, action, after, finished, retention_ms, ...)
  local before, expires = task.status, digits(finished + retention_ms)
  move(task, action, after, 'finished', digits(finished), 'expires', expires, ...)
  if before == 'running' then
    redis.call('ZREM', LEASES .. task.model, task.id)
    if after == 'succeeded' then  -- it is not run again
      redis.call('HDEL', TASK .. task.id, 'worker', 'sighted', 'fraction', 'note', 'input', 'request', 'trace')
    else
      redis.call('HDEL', TASK .. task.id, 'worker', 'sighted', 'fraction', 'note')
    end
  else
    leave_queue(task)
  end
  count_end(task, before, finished)
  redis.call('ZADD', ENDING, expires, ending(task.owner, task.model, after, task.id))
  redis.call('SET', GONE .. task.id, task.owner, 'PXAT', digits(finished + 2 * retention_ms))
  redis.call('PEXPIREAT', TASK .. task.id, expires)
  if task.key then redis.call('PEXPIREAT', KEY .. task.owner .. ':' .. task.key, expires) end
  if task.callback then post(task, finished, expires) end
end

local function fail(task, action, finished, retention_ms, code, sentence)
  task.error_code = code
  close(task, action, 'failed', finished, retention_ms, 'error_code', code, 'error_message', sentence)
end

-- End a queued task whose deadline has passed. It finished at its deadline, whenever that is noticed.
local function expire(task, retention_ms)
  fail(task, 'expire', task.deadline, retention_ms, 'expired', EXPIRED_SENTENCE)
end

local function is_overdue(task, now)
  return task.status == 'queued' and task.deadline and task.deadline <= now
end

-- Cancel a task that has not ended. A claim that was running stops being held in this very step; its worker is told,
-- and kills the child.
local function stop(id, now, retention_ms)
  local task = look(id)
  if is_overdue(task, now) then
    expire(task, retention_ms)
  elseif task.status == 'queued' then
    close(task, 'cancel', 'canceled', now, retention_ms)
  elseif task.status == 'running' then
    close(task, 'cancel', 'canceled', now, retention_ms)
    redis.call('PUBLISH', CHANNEL .. task.worker, id .. ' ' .. task.attempt)
  end
end

local function expire_due(model, now, retention_ms)
  local due = redis.call('ZRANGE', DEADLINES .. model, '-inf', digits(now), 'BYSCORE', 'LIMIT', 0, AT_ONCE)
  for _, id in ipairs(due) do
    local task = look(id)
    if is_overdue(task, now) then
      expire(task, retention_ms)
    else
      redis.call('ZREM', DEADLINES .. model, id)  -- no record: it was deleted by hand
    end
  end
  return due
end

local function fullness(model, owner, now, max_queued, max_of_owner)
  local queued = redis.call('ZCARD', QUEUE .. model)
  if queued >= max_queued then return {'queue_full', queued, ms_per_claim(model, now)} end
  if not max_of_owner then return false end
  local owned = 0
  for _, each in ipairs(redis.call('SMEMBERS', MODELS)) do
    owned = owned + redis.call('ZCARD', index_key(owner, each, 'queued'))
  end
  return owned >= max_of_owner and {'owner_full', owned, ms_per_claim(model, now)}
end

-- Why one more task may not wait: {reason, how many wait, ms until a place falls free or false}; false if it may.
local function refusal(model, owner, now, max_queued, max_of_owner, retention_ms)
  local refused = fullness(model, owner, now, max_queued, max_of_owner)
  if refused and #expire_due(model, now, retention_ms) > 0 then
    refused = fullness(model, owner, now, max_queued, max_of_owner)
  end
  return refused
end
