"""Several processes that serve one address, and the one that keeps them running and serves nothing itself.

It binds the address, so what is wrong with that is said once, and a process that is started again finds it as it was.
It does not listen: who serves does, so nobody can connect before there is somebody to answer. From then on a connection
that comes while a process dies waits for another one.
"""

import logging
import os
import socket
from collections.abc import Sequence
from tempfile import TemporaryDirectory

from api.listener import GRACE_SECONDS, url
from api.metering import DIRECTORY
from shared.supervision.parts import environment, module_command
from shared.supervision.program import Program
from shared.supervision.signals import Signals
from shared.supervision.supervisor import KILLED_BY_USER, Stop, Supervisor

STOP_SECONDS = GRACE_SECONDS + 5.0
log = logging.getLogger(__name__)


def keep_serving(count: int, bound: socket.socket, arguments: Sequence[str]) -> int:
    """Have `count` processes serve on `bound` until told to stop; return the exit code.

    `arguments` are those of this process's command line.
    """
    code = 0
    with Signals() as signals, TemporaryDirectory(prefix="penstock-metrics-") as together:
        supervisor = Supervisor(signals, log.warning)
        try:
            for number in range(1, count + 1):
                supervisor.start(server_program(number, bound, arguments, together))
            supervisor.run_until(lambda: None if is_listening(bound) else "no process serves yet")
            supervisor.ever_ready = True
            log.info("listening on %s, with %d processes", url(bound), count)
            supervisor.run_until(None)
        except Stop as stop:
            code = stop.code
        finally:
            patient = supervisor.stop_all(at_once=True)
    return code if patient else KILLED_BY_USER


def server_program(number: int, bound: socket.socket, arguments: Sequence[str], together: str) -> Program:
    """Return the program of one process; what it counts goes into files in the folder `together`."""
    descriptor = bound.fileno()
    command = module_command("api", [*arguments, "--bound", str(descriptor)])
    return Program(
        f"process {number}", command, environment({**os.environ, DIRECTORY: together}, {}), STOP_SECONDS, (descriptor,)
    )


def is_listening(bound: socket.socket) -> bool:
    """Tell whether somebody listens on a socket that others have too."""
    return bound.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
