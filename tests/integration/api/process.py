"""`python -m api` as a process, to be asked over HTTP."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading

import httpx2
import pytest

from tests.integration.nodes import ROOT

START_SECONDS = 30
MAX_BODY_BYTES = 64 * 1024


class Api:
    """`python -m api` on a port of the system's choice."""

    def __init__(self, **variables: str) -> None:
        self.process = run_api(PENSTOCK_API_PORT="0", **variables)
        assert self.process.stderr is not None
        self.log: list[str] = []
        for line in self.process.stderr:
            self.log.append(line)
            if found := re.search(r"listening on (http://[\d.:]+)", line):
                break
        else:
            pytest.fail("".join(self.log))
        self._reader = threading.Thread(target=lambda: self.log.extend(self.process.stderr or ()))
        self._reader.start()
        self.http = httpx2.Client(base_url=found[1], timeout=10, trust_env=False)

    def close(self, number: int = signal.SIGTERM) -> int:
        self.http.close()
        self.process.send_signal(number)
        code = self.process.wait(START_SECONDS)
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code


def run_api(*arguments: str, **variables: str) -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    environment |= {"PYTHONPATH": str(ROOT), **variables}
    return subprocess.Popen(
        [sys.executable, "-m", "api", *arguments],
        env=environment,
        cwd=tempfile.gettempdir(),
        stderr=subprocess.PIPE,
        text=True,
    )
