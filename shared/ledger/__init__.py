"""The ledger: the truth about every task, as small atomic Lua scripts on Redis, on the server's own clock.

calls.py        every step as a value
records.py      what goes into the steps, and what comes out
replies.py      how the answers of Redis read
scripts.py      the text of the scripts; lua/schema.lua documents every key and field
connection.py   runs a call, blocking or asynchronous, in one round trip
"""
