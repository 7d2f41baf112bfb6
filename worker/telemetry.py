"""What models' libraries report to their makers: nothing, unless the operator asks for it.

onnxruntime's wheels for Linux send usage events to Microsoft since 1.29, model names and hashes among them, and keep a
name of the machine below HOME (https://github.com/microsoft/onnxruntime/pull/27379).
"""

from collections.abc import MutableMapping

SWITCHES = {"ORT_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}


def silence(environment: MutableMapping[str, str]) -> None:
    """Switch it off where nothing else is said. Comes before anything imports such a library."""
    for name, value in SWITCHES.items():
        environment.setdefault(name, value)
