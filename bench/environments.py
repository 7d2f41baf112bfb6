"""An environment of its own for every peer, from its lock file, made on first use and again when the lock changes."""

import hashlib
import subprocess
import sys
from pathlib import Path

import uv

from bench.driver import ROOT

CACHE = ROOT / ".bench"
STAMP = "installed"


def python_of(packages: str) -> str:
    """Return the Python that runs a contender with these packages; none: Penstock's own."""
    if not packages:
        return sys.executable
    lock, folder = lock_of(packages), CACHE / packages
    digest = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()
    stamp = folder / STAMP
    if not stamp.exists() or stamp.read_text() != digest:
        print(f"installing from {lock.relative_to(ROOT)} into {folder.relative_to(ROOT)}", file=sys.stderr)
        _install(lock, folder)
        stamp.write_text(digest)
    return str(folder / "bin/python")


def lock_of(packages: str) -> Path:
    """Return the lock file of a peer's packages, or of Penstock's own."""
    return ROOT / "bench/contenders" / packages / "requirements.lock" if packages else ROOT / "requirements.lock"


def version(packages: str, name: str) -> str:
    """Return the version of a package that a lock file names for this Python."""
    lines = lock_of(packages).read_text().splitlines()
    found = [line.split("==")[1].split()[0] for line in lines if line.startswith(f"{name}==")]
    return found[0] if found else ""


def _install(lock: Path, folder: Path) -> None:
    tool, python = uv.find_uv_bin(), str(folder / "bin/python")
    subprocess.run([tool, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)], check=True)
    install = [tool, "pip", "install", "--quiet", "--python", python, "--no-deps", "--require-hashes"]
    subprocess.run([*install, "-r", str(lock)], check=True)
