"""What the OTEL_* variables ask for, and that nobody pays for it who does not ask."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared.trace import TraceError, asked_for, wanted

ROOT = Path(__file__).resolve().parents[3]
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


@pytest.mark.parametrize(
    ("environment", "exporters"),
    [
        ({}, ()),
        ({"OTEL_SERVICE_NAME": "mine"}, ()),
        (ENDPOINT, ("otlp",)),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/v1/traces"}, ("otlp",)),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, ("otlp",)),
        ({"OTEL_TRACES_EXPORTER": "console"}, ("console",)),
        ({"OTEL_TRACES_EXPORTER": " Console , otlp"}, ("console", "otlp")),
        ({"OTEL_TRACES_EXPORTER": ""} | ENDPOINT, ("otlp",)),
        ({"OTEL_TRACES_EXPORTER": "none"} | ENDPOINT, ()),
        ({"OTEL_SDK_DISABLED": "true"} | ENDPOINT, ()),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"} | ENDPOINT, ("otlp",)),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"} | ENDPOINT,
            ("otlp",),
        ),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_TRACES_EXPORTER": "console"}, ("console",)),
    ],
)
def test_the_variables_say_where_spans_go(environment: dict[str, str], exporters: tuple[str, ...]) -> None:
    assert wanted(environment) == exporters


@pytest.mark.parametrize(
    ("environment", "complaint"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER: zipkin is not known here; otlp, console and none"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"} | ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL: grpc is not spoken here"),
        (
            {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"} | ENDPOINT,
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: http/json is not spoken",
        ),
    ],
)
def test_what_is_not_known_is_named(environment: dict[str, str], complaint: str) -> None:
    with pytest.raises(TraceError, match=complaint):
        wanted(environment)


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("opentelemetry.sdk", "opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", raising=False)

    with pytest.raises(TraceError, match=r'OTEL_EXPORTER_OTLP_ENDPOINT asks .* pip install "penstock\[trace\]"'):
        asked_for(ENDPOINT, "penstock-api")


@pytest.mark.parametrize(
    ("part", "absent"),
    [
        ("import worker.__main__, worker.app", "opentelemetry.sdk.trace"),
        ("import worker.__main__, worker.app", "opentelemetry.exporter"),
        ("import api.__main__, api.app", "opentelemetry.sdk.trace"),
        ("import api.__main__, api.app", "opentelemetry.exporter"),
    ],
)
def test_nothing_of_it_is_imported_unasked(part: str, absent: str) -> None:
    program = f"{part}, sys; raise SystemExit(any(name.startswith({absent!r}) for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0
