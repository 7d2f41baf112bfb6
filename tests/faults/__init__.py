"""The fault suite: the real system under load, killed, frozen, cut off and crashed at every step, watched from outside.

`python -m tests.faults --help`, or `make faults`.
"""
