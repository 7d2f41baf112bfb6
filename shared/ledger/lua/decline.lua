-- A child that took a message will not claim the task (its worker drains): put the message back for another worker.
-- ARGV id. Returns 1, or 0 if the task is not queued, so no message is needed.
return put_back(ARGV[1])
