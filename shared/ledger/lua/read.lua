-- ARGV id, owner, retention_ms, models whose outlook is known. Returns the task, without its result if that is large; 'gone'
-- if its retention has ended; false if there never was one.
return read(ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4])
