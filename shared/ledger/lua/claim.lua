-- Win the right to run tasks: the one whose message woke the child, or else what comes next, and with it what is computed
-- together. ARGV id or '', worker, nonce, lease_ms, retention_ms, '1' if asked again, then model, most at once, ms to wait
-- for company ... of every model that the child runs, the one it would like last at the end.
-- Returns what `claim_next` does. A running task whose lease expired is not claimed here: the reaper, which looks twice,
-- queues it again first.
return claim_next(ARGV[1] ~= '' and ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[6] == '1', read_wanted(7),
                  tonumber(ARGV[5]), now_ms())
