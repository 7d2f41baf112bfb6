-- End attempts. ARGV retention_ms, how many, then id, token, code or '', result or sentence of each.
-- Returns 1 or 0 of each: see `end_attempt`.
return end_attempts(tonumber(ARGV[1]), tonumber(ARGV[2]), now_ms())
