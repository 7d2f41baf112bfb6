"""Certificates for the tests: an authority, and what it signs, made by the system's openssl."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, slots=True)
class Certificate:
    """Two files, each in PEM."""

    file: Path
    key: Path


class Authority:
    """Whom a client trusts that names `file`."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        self._openssl = openssl()
        self._directory = directory
        self._name = name
        self.file, self._key = directory / f"{name}.pem", directory / f"{name}.key"
        self._run("req", "-x509", *new_key(self._key), "-subj", f"/CN={name}", "-days", "2", "-out", str(self.file))

    def sign(self, name: str, *others: str, password: str = "") -> Certificate:
        """Make a certificate for a server or a client: `others` like `DNS:localhost` or `IP:127.0.0.1`."""
        made = Certificate(self._directory / f"{name}.pem", self._directory / f"{name}.key")
        request, more = self._directory / f"{name}.csr", self._directory / f"{name}.ext"
        more.write_text(f"subjectAltName={','.join(others)}\n" if others else "")
        self._run("req", *new_key(made.key, password), "-subj", f"/CN={name}", "-out", str(request))
        by = ["-CA", str(self.file), "-CAkey", str(self._key), "-CAcreateserial"]
        self._run("x509", "-req", "-in", str(request), *by, "-days", "2", "-extfile", str(more), "-out", str(made.file))
        return made

    def _run(self, *arguments: str) -> None:
        subprocess.run([self._openssl, *arguments], check=True, capture_output=True, timeout=60)


def new_key(file: Path, password: str = "") -> list[str]:
    secret = ["-passout", f"pass:{password}"] if password else ["-nodes"]
    return ["-newkey", "rsa:2048", *secret, "-keyout", str(file)]


def openssl() -> str:
    """Return the program; without it a test fails in CI and is skipped elsewhere."""
    found = shutil.which("openssl")
    if found is None:
        reason = "openssl is not installed (Debian: apt-get install openssl)"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return found
