-- Stop a task. ARGV id, owner, retention_ms. Returns the task (whose status tells what became of it), 'gone' or false.
local id, owner, retention_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
if not owns(owner, id) then return absent(id, owner) end
stop(id, now_ms(), retention_ms)
return read(id, owner, retention_ms, '')
