"""The performance report of a run: figures gathered, stored, judged, written.

Belongs here: the order of these steps, and the file. Does not belong here: any of the steps.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from markupsafe import Markup

from ecom_platform.errors import StorageError
from ecom_platform.reporting.figures import MAY_VANISH, Run, derived_metrics, gather
from ecom_platform.reporting.page import loads_card, plain_first_screen, render
from ecom_platform.reporting.verdict import Evidence, Verdict, judge
from ecom_platform.store import metrics
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.loads import last_loads

FILE_NAME = "report.html"


@dataclass(frozen=True, slots=True)
class Report:
    """What was written where; ``run`` and ``verdict`` are ``None`` until something was loaded."""

    path: Path
    run: Run | None
    verdict: Verdict | None


def write_report(
    database: Database,
    folder: Path,
    run_id: str,
    first_screen: Callable[[Connection, datetime, Markup], Markup] | None = None,
    tables: Sequence[str] = (),
) -> Report:
    """The report of ``run_id``, or of the last run that loaded something; written as a whole or not at all.

    Writing it again changes the figures only as the tables have changed: what was replayed is no reject.
    ``first_screen`` gives what stands at the top, of the connection, the time and a card of the last loads;
    ``tables`` are further ones whose sizes are told.
    """
    run, verdict, now = None, None, datetime.now(UTC)
    with database.transaction() as connection:
        subject = metrics.subject_run(connection, run_id)
        if subject is not None:
            derived = derived_metrics(gather(connection, subject, tables))
            metrics.record(connection, subject, derived, anew=MAY_VANISH)
            run = gather(connection, subject, tables)
            verdict = judge(Evidence.of(run))
        loads = loads_card(last_loads(connection))
        first = first_screen(connection, now, loads) if first_screen else plain_first_screen(loads, now)
    path = folder / FILE_NAME
    _write(path, render(run, verdict, first, now))
    return Report(path, run, verdict)


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
