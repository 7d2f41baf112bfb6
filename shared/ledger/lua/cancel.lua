-- Stop a task. ARGV id, retention_ms. Returns the task (whose status tells what became of it), 'gone' or false.
-- A claim that was running stops being held in this very step; its worker is told, and kills the child.
local id, retention_ms = ARGV[1], tonumber(ARGV[2])
local task = redis.call('HMGET', TASK .. id, 'status', 'model', 'worker', 'attempt', 'deadline')
local status, model, deadline, now = task[1], task[2], tonumber(task[5]), now_ms()
if status == 'queued' and deadline and deadline <= now then
  expire(id, model, retention_ms)
elseif status == 'queued' or status == 'running' then
  move(id, 'cancel', status, 'canceled')
  leave_queue(id, model)
  close(id, model, now, retention_ms)
  if status == 'running' then redis.call('PUBLISH', CHANNEL .. task[3], id .. ' ' .. task[4]) end
end
return read(id, retention_ms)
