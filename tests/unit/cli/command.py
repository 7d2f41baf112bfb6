"""The command as a user runs it: a process of its own."""

import os
import subprocess
import sys

from shared.supervision.parts import environment


def penstock(*arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        env={**environment(clean, {}), **variables},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
