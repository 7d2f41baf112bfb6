"""How the parts are started: found where this installation is, whatever the working directory holds."""

import os
import subprocess
import sys
from pathlib import Path

from shared.supervision.parts import HOUSE, environment, module_command, options


def test_settings_are_handed_over_as_variables() -> None:
    given = {"PENSTOCK_REDIS_URL": "redis://old", "HOME": "/h"}
    handed = environment(given, {"redis_url": "unix:///s", "api_port": 1234, "api_host": None})
    assert handed["PENSTOCK_REDIS_URL"] == "unix:///s"
    assert handed["PENSTOCK_API_PORT"] == "1234"
    assert "PENSTOCK_API_HOST" not in handed
    assert handed["HOME"] == "/h"
    assert given["PENSTOCK_REDIS_URL"] == "redis://old"


def test_a_python_path_is_kept_behind_this_installation() -> None:
    given = {"PYTHONPATH": os.pathsep.join(["/mine", str(HOUSE)])}
    assert environment(given, {})["PYTHONPATH"] == os.pathsep.join([str(HOUSE), "/mine"])


def test_only_options_that_were_given_are_passed_on() -> None:
    assert options(host="::1", port=None, concurrency=0) == ["--host", "::1", "--concurrency", "0"]
    assert options(log_level="debug") == ["--log-level", "debug"]


def test_a_folder_of_the_users_with_the_same_name_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "shared.py").write_text("print('not this one')")
    command = [*module_command("shared.settings")]
    assert command[0] == sys.executable
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(os.environ, {}), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
