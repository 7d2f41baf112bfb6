-- ARGV id. Returns the task, or false.
return read(ARGV[1])
