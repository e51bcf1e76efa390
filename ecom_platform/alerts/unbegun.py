"""What a command tells when it cannot begin what it was called for: from cron, nobody reads its terminal.

Belongs here: telling an error through the outbox, or past it where the database is what is missing. Does not
belong here: runs that began (``orchestration.alerting.ended``).
"""

from __future__ import annotations

from ecom_platform.alerts import outage, outbox
from ecom_platform.alerts.problem import Kind, Problem
from ecom_platform.alerts.shifts import Shifts
from ecom_platform.alerts.targets import targets
from ecom_platform.errors import DatabaseError, EcomError, UsageError
from ecom_platform.settings import Settings
from ecom_platform.store.provision import provide

NOBODY = "Nobody was told: ECOM_ALERT_URLS is not set."
# How long a command waits for targets at its end. What they have not taken by then is sent later.
PATIENCE_SECONDS = 20.0


def key(job: str) -> str:
    """The problem that a command which runs ``job`` cannot begin."""
    return f"command/{job}"


def tell_of_error(settings: Settings, job: str, error: EcomError) -> str:
    """Tell every target that ``job`` did not begin; returns what to say of that, empty for a mistake in the
    command itself."""
    if isinstance(error, UsageError):
        return ""
    if not settings.alerts.urls:
        return NOBODY
    try:
        return _tell(settings, job, error)
    except Exception as failure:
        return f"Nobody could be told: {type(failure).__name__}."


def _tell(settings: Settings, job: str, error: EcomError) -> str:
    wanted = targets(settings.alerts.urls)
    names = [target.name for target in wanted]
    if isinstance(error, DatabaseError):
        return told(names, outage.down(settings.alerts, error))
    try:
        with provide(settings) as database:
            outbox.raise_problem(database, _problem(settings, job, error))
            Shifts().dispatch(database, wanted, PATIENCE_SECONDS)
            with database.open() as connection:
                left = [name for name in names if outbox.on_their_way(connection, [name])]
    except DatabaseError as missing:
        left = outage.down(settings.alerts, missing)
    return told(names, left)


def _problem(settings: Settings, job: str, error: EcomError) -> Problem:
    return Problem(
        key=key(job),
        kind=Kind.RUN_FAILED,
        title=f"the job {job} could not begin",
        expected="what it needs is there",
        found=error.message,
        link=settings.alerts.ui_url,
        remedy=error.remedy,
    )


def told(wanted: list[str], left: list[str]) -> str:
    """One sentence on who knows of a problem."""
    known = [name for name in wanted if name not in left]
    told = f"Told: {', '.join(known)}." if known else "Nobody was told yet."
    return told + (f" Not yet: {', '.join(left)}; a daemon or the next command tries again." if left else "")
