"""That PostgreSQL is down: the one message that cannot wait in its outbox.

Belongs here: telling it past the outbox, once, and that it is over; what is remembered of that is a file.
Does not belong here: every other problem (``outbox``).
"""

from __future__ import annotations

import fcntl
import json
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ecom_platform.alerts.delivery import Courier
from ecom_platform.alerts.messages import Message, Notice, compose
from ecom_platform.alerts.problem import Kind, Problem
from ecom_platform.alerts.redaction import redact, secrets_of
from ecom_platform.alerts.targets import Target, targets
from ecom_platform.errors import DatabaseError
from ecom_platform.settings import AlertSettings

log = logging.getLogger(__name__)

# A restart of PostgreSQL is no outage.
PATIENCE_SECONDS = 60.0
# Who did not take it is asked again after so long; that it is over, for a day at most.
_AGAIN_SECONDS = 60.0
_GIVE_UP_SECONDS = 24 * 3600.0
_BODY_LIMIT = 30_000


def down(settings: AlertSettings, error: DatabaseError) -> list[str]:
    """Tell every target, that does not know yet, that the database cannot be used; returns the names of
    those that still do not know."""
    wanted = targets(settings.urls)
    with _remembered(_folder(settings)) as state:
        if state is None:  # another process is at it
            return []
        state.setdefault("since", time.time())
        if "over" in state:  # down again before everybody heard that it was over
            del state["over"]
            state["told"] = []
        told = set(state.setdefault("told", []))
        left = [target for target in wanted if target.name not in told]
        if left and time.time() - state.get("tried", 0.0) >= _AGAIN_SECONDS:
            state["tried"] = time.time()
            taken = _send(left, _message(settings, error, state["since"]))
            state["told"] = sorted(told | taken)
        return [target.name for target in left if target.name not in state["told"]]


def up(settings: AlertSettings) -> None:
    """Tell those who were told of it that it is over."""
    folder = _folder(settings)
    if not (folder / _FILE).exists():
        return
    with _remembered(folder) as state:
        if state is None or "since" not in state:
            return
        began = state.setdefault("over", time.time())
        told = [target for target in targets(settings.urls) if target.name in state.get("told", ())]
        taken = _send(told, _message(settings, None, state["since"])) if told else set()
        state["told"] = [target.name for target in told if target.name not in taken]
        if not state["told"] or time.time() - began > _GIVE_UP_SECONDS:
            state.clear()


class Outage:
    """What the sensor knows of the database: since when it cannot be used. Tells it in the background."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._thread: threading.Thread | None = None
        self._tried = float("-inf")

    def seen(self, settings: AlertSettings, error: DatabaseError) -> None:
        """A tick could not use the database."""
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        if now - self._since >= PATIENCE_SECONDS:
            self._begin(lambda: down(settings, error))

    def over(self, settings: AlertSettings) -> None:
        """A tick could."""
        self._since = None
        if (_folder(settings) / _FILE).exists() and time.monotonic() - self._tried >= _AGAIN_SECONDS:
            self._tried = time.monotonic()
            self._begin(lambda: up(settings))

    def _begin(self, work: Any) -> None:
        def attempt() -> None:
            try:
                work()
            except Exception as error:
                log.warning("That PostgreSQL is down could not be told: %s", type(error).__name__)

        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=attempt, name="alerts-outage", daemon=True)
            self._thread.start()


# -- the message ---------------------------------------------------------------------------------


def _message(settings: AlertSettings, error: DatabaseError | None, since: float) -> Message:
    kept = [*settings.urls, settings.heartbeat_url, settings.postgres_url]
    secrets = secrets_of(url for url in kept if url)
    problem = Problem(
        key="postgresql",
        kind=Kind.DATABASE_DOWN,
        title="PostgreSQL cannot be used",
        expected="it answers",
        found=redact(error.message, secrets) if error else "it did not answer",
        link=settings.ui_url,
        details={"meanwhile": "nothing is loaded, files wait where they land, and other alerts are not sent"},
        remedy=redact(error.remedy, secrets) if error else None,
    )
    over = None if error else "PostgreSQL answers again. What waited is loaded and told now."
    began = datetime.fromtimestamp(since, UTC)
    notice = Notice(0, 1, problem, began, None if error else datetime.now(UTC), over)
    return next(compose([notice], _BODY_LIMIT))


def _send(wanted: Sequence[Target], message: Message) -> set[str]:
    """The names of those that took it."""

    def attempt(target: Target) -> str | None:
        courier = Courier(target)
        try:
            outcome = courier.send(message)
        finally:
            courier.close()
        if outcome.error is not None:
            log.warning("%s was not told that PostgreSQL is down: %s", target.name, outcome.error)
            return None
        return target.name

    with ThreadPoolExecutor(len(wanted)) as pool:
        return {name for name in pool.map(attempt, wanted) if name is not None}


# -- what is remembered --------------------------------------------------------------------------

_FILE = "postgresql-down.json"


def _folder(settings: AlertSettings) -> Path:
    return settings.postgres_dir.parent / "alerts"


@contextmanager
def _remembered(folder: Path) -> Iterator[dict[str, Any] | None]:
    """What was told, kept when the block ends; ``None`` while another process has it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _FILE
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield None
            return
        state: dict[str, Any] = {}
        with suppress(OSError, ValueError):
            state = dict(json.loads(path.read_text(encoding="utf-8")))
        yield state
        if state:
            new = path.with_suffix(".new")
            new.write_text(json.dumps(state), encoding="utf-8")
            new.replace(path)
        else:
            path.unlink(missing_ok=True)
