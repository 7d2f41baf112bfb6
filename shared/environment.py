"""The settings as a process finds them: in its environment, a `.env` file and a secrets directory.

What is wrong with them is told by the variable, for whoever sets it.
"""

import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from shared.settings import PREFIX, Settings


class SettingsError(Exception):
    """A setting is wrong. The message names its environment variable, a line each."""


def load_settings(**overrides: Any) -> Settings:
    """Read the settings from the environment; `overrides` (a command line's options) win where they are not None.

    Raises:
        SettingsError: naming each variable that is wrong.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    secrets = os.environ.get(f"{PREFIX}SECRETS_DIR")
    if secrets:
        _require_readable(Path(secrets))
    try:
        return Settings(_secrets_dir=secrets, **given)
    except ValidationError as error:
        raise SettingsError("\n".join(_complaint(item) for item in error.errors())) from error


def unknown_variables(environment: dict[str, str]) -> list[str]:
    """Return the PENSTOCK_* variables that no setting reads: most likely a slip of the pen, worth a warning."""
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields} | {
        f"{PREFIX}SECRETS_DIR",
        f"{PREFIX}URL",
        f"{PREFIX}API_KEY",
    }
    return sorted(name for name in environment if name.upper().startswith(PREFIX) and name.upper() not in known)


def _require_readable(secrets: Path) -> None:
    """Look whether each setting's file can be read: pydantic-settings would warn of some and stumble over others."""
    if not secrets.is_dir():
        raise SettingsError(f"{PREFIX}SECRETS_DIR: {secrets} is not a directory")
    try:
        files = {path.name.upper(): path for path in secrets.iterdir()}
    except OSError as error:
        raise SettingsError(f"{PREFIX}SECRETS_DIR: {secrets} cannot be read: {error.strerror}") from error
    for variable in (f"{PREFIX}{name}".upper() for name in Settings.model_fields):
        if variable in files and (complaint := _not_text(files[variable])):
            raise SettingsError(f"{variable}: the file {files[variable]} cannot be read: {complaint}")


def _not_text(path: Path) -> str | None:
    try:
        path.read_text(encoding="utf-8")
    except OSError as error:
        return error.strerror
    except UnicodeDecodeError:
        return "it is not text in UTF-8"
    return None


def _complaint(item: Any) -> str:
    message = item["msg"].removeprefix("Value error, ")
    if not item["loc"]:
        return str(message)
    return f"{PREFIX}{str(item['loc'][0]).upper()}: {message}"
