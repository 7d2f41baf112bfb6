"""`penstock doctor`: looks at a running installation, and says in a line each what is well and what is not.

sight.py        what was seen of the server and of the API
look.py         looks: the only part that asks anybody
server.py       what follows for the server: version, persistence, eviction, memory, clock
replication.py  what follows for replicas and sentinels
work.py         what follows for the models, their workers and what waits
agreement.py    whether API and workers serve the same models
finding.py      one line of the answer, and all of them as text or JSON
examination.py  all of it, in order
"""
