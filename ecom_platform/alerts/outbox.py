"""The outbox: problems are stored first, then told, so that none is lost and each is told once.

Belongs here: raising and resolving problems, and the steps of a delivery: announce, take, settle. A
notice is delivered at least once: a process that is killed between sending and settling sends again
when its lease has ended. Does not belong here: sending (``delivery``), SQL (``postgres.alerts``).
"""

from __future__ import annotations

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
from ecom_platform.postgres import alerts as tables
from ecom_platform.postgres.connection import Connection, Database

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
        return tables.raise_alert(
            connection, source, at or datetime.now(UTC), _columns(problem, tuple(secrets))
        )


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
        return tables.resolve_alert(connection, source, key, redact(resolution), at or datetime.now(UTC))


def apply(
    connection: Connection, signs: Sequence[Sign], source: str = DEFAULT_SOURCE, secrets: Iterable[str] = ()
) -> int:
    """Store what ``signs`` change; returns how many did. They may have been given before."""
    if not signs:
        return 0
    keys = {sign.key for sign in signs}
    known = {key: Known(*values) for key, values in tables.known_keys(connection, source, keys).items()}
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
    masked = ("title", "expected", "found")
    return {name: redact(value, secrets) if name in masked else value for name, value in values.items()}


def announce(connection: Connection, target_names: Sequence[str], source: str = DEFAULT_SOURCE) -> None:
    """Address what is new and what is over to the targets of this moment, and log it; one transaction."""
    raised = tables.announce_raised(connection, source, target_names)
    recovered = tables.announce_recovered(connection, source)
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
    return set(tables.due_targets(connection, source, target_names))


def take(connection: Connection, target_name: str, limit: int, source: str = DEFAULT_SOURCE) -> list[Notice]:
    """Up to ``limit`` notices that are due for a target, ours until the lease ends."""
    rows = tables.take_due(connection, source, target_name, limit, LEASE_SECONDS)
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
    """Write down that a message was taken, or why it was not; then it is due again after a while."""
    if error is None:
        tables.mark_delivered(connection, delivery_ids)
    else:
        tables.mark_failed(connection, delivery_ids, error, retry_delay(attempts), GIVE_UP_SECONDS)
    connection.commit()


def put_back(connection: Connection, delivery_ids: Iterable[int]) -> None:
    """What was taken and not tried is due, as if nobody had taken it."""
    tables.mark_untried(connection, delivery_ids)
    connection.commit()


def open_keys(connection: Connection, kind: Kind, source: str = DEFAULT_SOURCE) -> list[str]:
    """Keys of the problems of a kind that are not over."""
    return tables.open_keys(connection, source, kind)


def on_their_way(connection: Connection, target_names: Sequence[str], source: str = DEFAULT_SOURCE) -> int:
    """Notices that these targets do not have yet."""
    return tables.pending(connection, source, target_names)
