-- ARGV id, retention_ms. Returns the task; 'gone' if its retention has ended; false if there never was one.
return read(ARGV[1], tonumber(ARGV[2]))
