"""The outbox: problems are stored first, then told, so that none is lost and each is told once.

Belongs here: raising and resolving problems, and the steps of a delivery: announce, take, settle, each one
statement of ``postgres/sql/alerts.sql``. A notice is delivered at least once: a process that is killed
between sending and settling sends again when its lease has ended. Does not belong here: sending
(``delivery``), making the tables (``store.alerts``).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from ecom_platform.alerts.messages import Notice
from ecom_platform.alerts.neutral import neutral
from ecom_platform.alerts.problem import Kind, Known, Problem, Raised, Severity, Sign, changes
from ecom_platform.alerts.redaction import redact, redact_value
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.statements import queries

log = logging.getLogger(__name__)

# Whose problems these are, unless a project says otherwise.
DEFAULT_SOURCE = "check_alerts"

# What to do is kept among the details: projects of others have the table as it was made.
_REMEDY = "remedy"

# Longer than any attempt takes; after it, the attempt's process is taken to be gone.
LEASE_SECONDS = 120.0
FIRST_RETRY_SECONDS = 5.0
LONGEST_RETRY_SECONDS = 300.0
GIVE_UP_SECONDS = 7 * 24 * 3600.0


def _queries() -> Any:
    return queries("alerts")


def retry_delay(attempts: int) -> float:
    """Seconds until a notice that failed for the ``attempts``-th time is tried again."""
    return float(min(FIRST_RETRY_SECONDS * 2 ** min(attempts - 1, 16), LONGEST_RETRY_SECONDS))


def raise_problem(
    where: Connection | Database,
    problem: Problem,
    *,
    at: datetime | None = None,
    source: str = DEFAULT_SOURCE,
    secrets: Iterable[str] = (),
) -> bool:
    """Store ``problem``, to be told by the next tick; ``False`` if it is known already.

    On a connection it becomes part of the caller's transaction. ``at`` is when it was seen (default:
    now). What looks like a secret, and ``secrets``, is masked before it is stored.
    """
    with _connection(where) as connection:
        row = _queries().raise_alert(
            connection, source=source, at=at or datetime.now(UTC), **_columns(problem, tuple(secrets))
        )
    # It may be one more sign of an open problem, or an old one.
    return row is not None and row[1] == 1


def resolve_problem(
    where: Connection | Database,
    key: str,
    resolution: str = "It is over.",
    *,
    at: datetime | None = None,
    source: str = DEFAULT_SOURCE,
) -> bool:
    """Close the open problem of ``key``, to be told by the next tick; ``False`` if there is none."""
    with _connection(where) as connection:
        row = _queries().resolve_alert(
            connection, source=source, key=key, resolution=redact(resolution), at=at or datetime.now(UTC)
        )
    return row is not None


def apply(
    connection: Connection, signs: Sequence[Sign], source: str = DEFAULT_SOURCE, secrets: Iterable[str] = ()
) -> int:
    """Store what ``signs`` change; returns how many did. They may have been given before."""
    if not signs:
        return 0
    keys = list({sign.key for sign in signs})
    rows = _queries().known_keys(connection, source=source, keys=keys)
    known = {key: Known(at, is_open) for key, at, is_open in rows}
    effective = changes(signs, known)
    for sign in effective:
        if isinstance(sign, Raised):
            raise_problem(connection, sign.problem, at=sign.at, source=source, secrets=secrets)
        else:
            resolve_problem(connection, sign.key, sign.resolution, at=sign.at, source=source)
    return len(effective)


@contextmanager
def _connection(where: Connection | Database) -> Iterator[Connection]:
    if isinstance(where, Database):
        with where.transaction() as connection:
            yield connection
    else:
        yield where


def _columns(problem: Problem, secrets: tuple[str, ...]) -> dict[str, Any]:
    values = asdict(problem)
    values["check_name"] = values.pop("check")
    remedy = values.pop("remedy")
    values["details"] = {name: redact_value(name, value, secrets) for name, value in problem.details.items()}
    if remedy:
        values["details"][_REMEDY] = redact(remedy, secrets)
    for name in ("title", "expected", "found"):
        values[name] = redact(values[name], secrets)
    return {**values, "details": json.dumps(values["details"], default=str)}


def announce(connection: Connection, target_names: Sequence[str], source: str = DEFAULT_SOURCE) -> None:
    """Address what is new and what is over to the targets of this moment, and log it; one transaction."""
    raised = list(_queries().announce_raised(connection, source=source, targets=list(target_names)))
    recovered = list(_queries().announce_recovered(connection, source=source))
    connection.commit()
    for severity, title, expected, found, link in raised:
        log.warning(
            "ALERT [%s] %s: expected %s; found %s (%s)",
            severity,
            *(neutral(text) for text in (title, expected, found, link or "-")),
        )
    for title, resolution, link in recovered:
        log.warning(
            "ALERT [RECOVERED] %s: %s (%s)", *(neutral(text) for text in (title, resolution, link or "-"))
        )


def due(connection: Connection, target_names: Sequence[str], source: str = DEFAULT_SOURCE) -> set[str]:
    """Which of the targets there is something to deliver to, now."""
    rows = _queries().due_targets(connection, source=source, targets=list(target_names))
    return {name for (name,) in rows}


def take(connection: Connection, target_name: str, limit: int, source: str = DEFAULT_SOURCE) -> list[Notice]:
    """Up to ``limit`` notices that are due for a target, oldest first, ours until the lease ends."""
    rows = sorted(
        _queries().take_due(
            connection, source=source, target=target_name, limit=limit, lease_seconds=LEASE_SECONDS
        )
    )
    connection.commit()
    return [_notice(row) for row in rows]


def _notice(row: tuple[Any, ...]) -> Notice:
    delivery_id, notice, attempts, key, kind, severity, title, asset, check, *rest = row
    expected, found, run_id, link, details, occurred_at, resolved_at, resolution = rest
    remedy = details.pop(_REMEDY, None)
    problem = Problem(
        key=key,
        kind=Kind(kind),
        severity=Severity(severity),
        title=title,
        asset=asset,
        check=check,
        expected=expected,
        found=found,
        run_id=run_id,
        link=link,
        details=details,
        remedy=remedy,
    )
    if notice == "raised":
        return Notice(delivery_id, attempts, problem, occurred_at)
    return Notice(delivery_id, attempts, problem, occurred_at, resolved_at, resolution)


def settle(connection: Connection, delivery_ids: Iterable[int], error: str | None, attempts: int) -> None:
    """Write down that a message was taken, or why not; then it is due again after a while, unless too old."""
    ids = list(delivery_ids)
    if error is None:
        _queries().mark_delivered(connection, delivery_ids=ids)
    else:
        _queries().mark_failed(
            connection,
            delivery_ids=ids,
            error=error,
            delay_seconds=retry_delay(attempts),
            give_up_seconds=GIVE_UP_SECONDS,
        )
    connection.commit()


def put_back(connection: Connection, delivery_ids: Iterable[int]) -> None:
    """What was taken and not tried is due, as if nobody had taken it."""
    _queries().mark_untried(connection, delivery_ids=list(delivery_ids))
    connection.commit()


def open_keys(connection: Connection, kind: Kind, source: str = DEFAULT_SOURCE) -> list[str]:
    """Keys of the problems of a kind that are not over."""
    return [key for (key,) in _queries().open_keys(connection, source=source, kind=kind)]


def on_their_way(connection: Connection, target_names: Sequence[str], source: str = DEFAULT_SOURCE) -> int:
    """Notices that these targets do not have yet."""
    return int(_queries().pending(connection, source=source, targets=list(target_names)))
