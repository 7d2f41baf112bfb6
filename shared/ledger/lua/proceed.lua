-- End attempts, and claim what comes next in the same step. ARGV as of `finish`, then those of `claim` from the second on.
-- Returns what `finish` returns, and what `claim_next` does. Unlike `finish` it is refused while there is no memory.
local retention_ms, ended = tonumber(ARGV[1]), tonumber(ARGV[2])
local at, now = 4 * ended + 3, now_ms()
return {end_attempts(retention_ms, ended, now),
        claim_next(false, ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 4] == '1',
                   read_wanted(at + 5), retention_ms, now)}
