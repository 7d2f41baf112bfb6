-- A worker, or one of its children, has loaded a model. ARGV model, ms.
count(ARGV[1], 'load:' .. bucket(tonumber(ARGV[2]), TIMES))
count(ARGV[1], 'loaded', tonumber(ARGV[2]))
return 1
