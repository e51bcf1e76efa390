"""What an experiment found, as people read it: a table, a JSON file, plots.

Belongs here: writing results down, with the machine they were taken on. Does not belong here: taking
them, or drawing (``plots``).
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil


@dataclass(slots=True)
class Findings:
    """One experiment: a table of text, the figures behind it, plots by file name."""

    name: str
    title: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    figures: Any = None
    plots: dict[str, str] = field(default_factory=dict)

    def markdown(self) -> str:
        """The table, with the machine below it."""
        lines = [f"## {self.title}", "", _line(self.columns), _line(["---"] * len(self.columns))]
        lines += [_line(row) for row in self.rows]
        return "\n".join([*lines, "", f"*{machine()}*", ""])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def write(findings: Findings, folder: Path) -> None:
    """``NAME.md``, ``NAME.json`` and the plots, into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{findings.name}.md").write_text(findings.markdown(), encoding="utf-8")
    record = {
        "experiment": findings.name,
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "commit": _commit(),
        "figures": findings.figures,
    }
    text = json.dumps(record, indent=2) + "\n"
    (folder / f"{findings.name}.json").write_text(text, encoding="utf-8")
    for name, svg in findings.plots.items():
        (folder / name).write_text(svg, encoding="utf-8")


def machine() -> str:
    """The machine in a line: cores, memory, processor, system."""
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {_processor()}, {platform.system()} {platform.release()}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _commit() -> str | None:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or None
