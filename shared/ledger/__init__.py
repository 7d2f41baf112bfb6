"""The ledger: the truth about every task, as small atomic Lua scripts on Redis, on the server's own clock.

calls.py        every step as a value; those of workers are in attempts.py, and what a step is in call.py
records.py      what goes into the steps, and what comes out
outlooks.py     what readers have heard a moment ago
checkup.py      what an operator looks at
payload.py      what counts as large
replies.py      how the answers of Redis read
scripts.py      the text of the scripts; lua/rules/keys.lua documents every key and field
connection.py   runs a call, blocking or asynchronous, in one round trip
pipelining.py   has the API's calls share connections
"""
