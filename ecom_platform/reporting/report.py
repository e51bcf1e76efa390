"""The performance report of a run: figures gathered, stored, judged, written.

Belongs here: the order of these steps, and the file. Does not belong here: any of the steps.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ecom_platform.errors import StorageError
from ecom_platform.postgres import metrics
from ecom_platform.postgres.connection import Database
from ecom_platform.postgres.shop import Shop, shop
from ecom_platform.reporting.figures import MAY_VANISH, Run, derived_metrics, gather
from ecom_platform.reporting.page import render
from ecom_platform.reporting.verdict import Evidence, Verdict, judge

FILE_NAME = "report.html"


@dataclass(frozen=True, slots=True)
class Report:
    """What was written where; ``run`` and ``verdict`` are ``None`` until something was loaded."""

    path: Path
    shop: Shop
    run: Run | None
    verdict: Verdict | None


def write_report(database: Database, folder: Path, run_id: str) -> Report:
    """The report of ``run_id``, or of the last run that loaded something; written as a whole or not at all.

    Writing it again changes the figures only as the tables have changed: what was replayed is no reject.
    """
    run, verdict = None, None
    with database.transaction() as connection:
        subject = metrics.subject_run(connection, run_id)
        if subject is not None:
            derived = derived_metrics(gather(connection, subject))
            metrics.record(connection, subject, derived, anew=MAY_VANISH)
            run = gather(connection, subject)
            verdict = judge(Evidence.of(run))
        seen = shop(connection)
    path = folder / FILE_NAME
    _write(path, render(seen, run, verdict, datetime.now(UTC)))
    return Report(path, seen, run, verdict)


def _write(path: Path, text: str) -> None:
    hidden = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        hidden.write_text(text, encoding="utf-8")
        hidden.replace(path)
    except OSError as error:
        raise StorageError(
            f"The report {path} cannot be written: {error.strerror}.",
            "Make room, or set ECOM_HOME to a folder that can be written.",
        ) from error
