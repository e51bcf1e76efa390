"""Where the programs that `make bench-peers` installs are.

Belongs here: their environment, apart from the product's. Does not belong here: how each is used.
"""

from __future__ import annotations

import shutil
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / ".venv-peers"
REMEDY = "make bench-peers"

PYTHON = FOLDER / "bin" / "python"


def sling() -> Path | None:
    """The binary, which its package keeps among the modules."""
    return next(FOLDER.glob("lib/python*/site-packages/sling_linux_amd64/bin/sling-linux-amd64"), None)


def dlt() -> Path | None:
    """The program of dlt, which is there where its library is."""
    program = FOLDER / "bin" / "dlt"
    return program if program.is_file() else None


def pgloader() -> Path | None:
    found = shutil.which("pgloader")
    return Path(found) if found else None
