"""The commands of docs/runbook.md, for tests that execute them as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import textwrap
from pathlib import Path

from ecom_platform.server import binary
from ecom_platform.store.connection import Database

RUNBOOK = Path(__file__).parents[1] / "docs" / "runbook.md"


def block(part: str) -> str:
    """The block of commands that has ``part`` in it."""
    text = RUNBOOK.read_text(encoding="utf-8")
    blocks = re.findall(r"(?:^ {4}.*\n|^\n(?= {4}))+", text, re.MULTILINE)
    (found,) = (textwrap.dedent(block) for block in blocks if part in block)
    return found


def execute(commands: str, folder: Path, database: Database) -> subprocess.CompletedProcess[str]:
    """Run ``commands`` in ``folder``, with an `ecom` that knows the URL of ``database`` and nothing else."""
    script = f"""ecom() {{ [ "$1" != url ] || echo "$url_of_the_test"; }}\nset -e\n{commands}"""
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={
            "PATH": f"{binary('psql').parent}:{os.environ['PATH']}",
            "url_of_the_test": database.url,
        },
        capture_output=True,
        text=True,
        check=False,
    )
