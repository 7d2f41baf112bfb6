-- ARGV id, owner, retention_ms. Returns the task; 'gone' if its retention has ended; false if there never was one.
return read(ARGV[1], ARGV[2], tonumber(ARGV[3]))
