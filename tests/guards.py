"""The guards: what protects each promise, and the change of a line or two that removes it (see tests/mutations.py)."""

from dataclasses import dataclass

LUA = "shared/ledger/lua"
RULES = f"{LUA}/rules"
TESTS = ("tests/contract", "tests/unit/worker")


@dataclass(frozen=True, slots=True)
class Guard:
    """What protects a promise, and how it is removed: in `file`, each pattern becomes its replacement."""

    name: str
    file: str
    changes: tuple[tuple[str, str], ...]
    tests: tuple[str, ...] = TESTS


GUARDS = (
    Guard(
        "token check when an attempt ends",
        f"{RULES}/attempts.lua",
        (("  if not holds(task, token) then\n", "  if false then\n"),),
    ),
    Guard(
        "a number that a failover has handed out twice holds nothing by itself",
        f"{RULES}/keys.lua",
        ((" and (nonce == '' or task.nonce == nonce)\n", "\n"),),
    ),
    Guard(
        "only what a request has won is given back or taken back",
        f"{RULES}/attempts.lua",
        (("if asked[field(id, 'nonce')] then", "if true then"),),
    ),
    Guard(
        "a running task is not claimed",
        f"{RULES}/attempts.lua",
        (
            ("    elseif task.status ~= 'queued' then\n", "    elseif not task.status then\n"),
            ("  move(task, 'claim', 'running', ", "  redis.call('HSET', TASK .. task.id, 'status', 'running', "),
        ),
    ),
    Guard(
        "a claim whose answer was lost is the same claim",
        f"{RULES}/attempts.lua",
        (("again and held_by(", "false and held_by("),),
        ("tests/contract", "tests/integration/test_child.py"),
    ),
    Guard(
        "who was in a batch that died is alone the next time",
        f"{RULES}/attempts.lua",
        (("move(task, 'reap', 'queued', 'alone', 1)", "move(task, 'reap', 'queued')"),),
    ),
    Guard(
        "a batch that died costs its tasks no attempt",
        f"{RULES}/attempts.lua",
        (("if (tonumber(task.batch) or 1) > 1 then", "if false then"),),
    ),
    Guard(
        "a message of another task is left where it is",
        f"{RULES}/queue.lua",
        (("      redis.call('RPUSH', key, text)\n", ""),),
    ),
    Guard("the reaper takes back expired leases", f"{LUA}/reap.lua", (("  reap_leases(model)\n", ""),)),
    Guard(
        "the reaper sends lost messages again",
        f"{LUA}/reap.lua",
        (("  for tier = 0, #SUFFIXES - 1 do resend_missing(model, tier) end\n", ""),),
    ),
    Guard(
        "two sightings before the reaper acts",
        f"{LUA}/reap.lua",
        (("  if first then return now - first >= apart_ms end\n", "  if true then return true end\n"),),
    ),
    Guard(
        "a task that costs too many workers fails",
        f"{RULES}/attempts.lua",
        (("    if lost >= max_attempts then", "    if false then"),),
    ),
    Guard(
        "a deadline is looked at when a task is claimed",
        f"{RULES}/attempts.lua",
        (("    if is_overdue(task, now) then\n", "    if false then\n"),),
    ),
    Guard(
        "the child of a lost claim is killed",
        "worker/keeper.py",
        (("            if gone:\n", "            if False:\n"),),
        ("tests/integration/test_zombies.py",),
    ),
    Guard(
        "leases are renewed",
        "worker/keeper.py",
        (("            self._renew(views)\n", ""),),
        ("tests/integration/test_lost_workers.py",),
    ),
    Guard(
        "only a child that is still at it is killed",
        "worker/takedown.py",
        ((" and is_still_at_it(view) else None", " else None"),),
    ),
    Guard(
        "a child that has computed is left alone",
        "worker/dooms.py",
        (("view.state is State.BUSY and any(", "any("),),
    ),
    Guard(
        "the neighbours of a task whose child is killed are given back",
        "worker/dooms.py",
        (("    if len(view.attempts) > 1 or (view", "    if (view"),),
    ),
    Guard(
        "a draining worker claims nothing",
        "worker/keeper.py",
        (("        self.slots.drain()\n", ""),),
    ),
    Guard(
        "a worker that stops waits for no model to load",
        "worker/dooms.py",
        (("        elif drain_at is not None and is_loading(view):\n", "        elif False:\n"),),
        ("tests/integration/test_draining.py",),
    ),
    Guard(
        "a worker that does not end by itself is ended",
        "worker/keeper.py",
        (("            self.on_overstay()\n", "            pass\n"),),
        ("tests/integration/test_draining.py",),
    ),
    Guard(
        "a signal to a child waits for its task",
        "worker/composure.py",
        (("signal.signal(number, note) for number in ENDING", "signal.getsignal(number) for number in ENDING"),),
        ("tests/integration/test_child.py", "tests/integration/test_draining.py"),
    ),
    Guard(
        "a computation that ended is not overdue",
        "worker/slots.py",
        (("return self.state is State.BUSY and now", "return now"),),
    ),
    Guard(
        "a cancellation is remembered until the slot shows the attempt",
        "worker/keeper.py",
        (
            (
                "            self._canceled[canceled] = now + self.settings.lease_seconds\n",
                "            self._canceled = {canceled: now + 0.001}\n",
            ),
        ),
        ("tests/integration/test_cancel.py",),
    ),
    Guard(
        "a dead child's tasks are taken back by its successor",
        "worker/child.py",
        (("            self._take_back(predecessor)\n", "            pass\n"),),
        (
            "tests/integration/test_child.py",
            "tests/integration/test_lost_workers.py",
        ),
    ),
    Guard(
        "a child that claims leaves word of it first",
        "worker/runner.py",
        (("        self.slots.write(self.index, State.CLAIMING, hint=hint, nonce=asking.nonce)\n", ""),),
        ("tests/integration/test_child.py",),
    ),
    Guard(
        "a child that finishes leaves word of what it may win",
        "worker/runner.py",
        (("        self._say_finishing(hand, asking.nonce)\n", "        self._say_finishing(hand)\n"),),
        ("tests/integration/test_between_tasks.py",),
    ),
    Guard(
        "a dying child is watched again after a reconnection",
        "worker/reconnect.py",
        (("        self._watch_the_dying_again()\n", ""),),
        ("tests/integration/test_reconnect.py",),
    ),
    Guard(
        "what a dead child left is not listened to again",
        "worker/reconnect.py",
        (("        self._forget_the_dead()\n", ""),),
        ("tests/integration/test_pipes.py",),
    ),
    Guard(
        "a finished computation waits for Redis",
        "worker/patience.py",
        (("            if not worth_it(error):", "            if True:"),),
        ("tests/integration/test_lost_workers.py", "tests/integration/test_reconnect.py"),
    ),
    Guard(
        "a client is told 202 once replicas have its task",
        "shared/ledger/connection.py",
        (("call.script in PROMISES and ", "False and "),),
        ("tests/integration/test_failover.py",),
    ),
    Guard(
        "a process leaves a primary that was replaced",
        "shared/ledger/connection.py",
        (("            sentinels.on_found = self._leave_others\n", "            pass\n"),),
        ("tests/integration/test_failover.py",),
    ),
)
