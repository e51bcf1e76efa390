"""A job from the terminal: prerequisites, progress, summary, exit code.

Belongs here: what `ecom run`, `ingest` and the commands that end in an ingest have in common. Does
not belong here: arguments (``cli``, ``commands``), what is printed how (``console``). The heavy
imports happen inside, so that a command that fails early fails at once.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from ecom_platform.errors import EcomError, UsageError
from ecom_platform.processes.interrupts import interruptible
from ecom_platform.processes.output import print_json
from ecom_platform.settings import Settings, load_settings

if TYPE_CHECKING:
    from ecom_platform.cli.console import Progress
    from ecom_platform.orchestration.cancellation import Cancellation
    from ecom_platform.orchestration.execution import RunSummary
    from ecom_platform.store.connection import Database

_loads = False


def loads() -> bool:
    """Whether this command has loaded something, or tried to: that is then what its exit code says."""
    return _loads


def run_job(
    job: str,
    run_config: dict[str, Any],
    as_json: bool,
    *,
    rows: int = 0,
    permission: Callable[[Database], None] | None = None,
    extra: dict[str, Any] | None = None,
    feed: str | None = None,
) -> int:
    """Run ``job`` and print its account; whoever watches is told of an error that kept it from beginning.

    ``rows``: how many it will load, where that is known. ``permission`` raises where the database is none
    that it may begin in; Spark is not started before. ``extra`` goes into the JSON object beside the account.
    ``feed`` is the only one that it is about.

    Returns the exit code. Raises :class:`EcomError` for what is found out before the run begins.
    """
    try:
        return _run_job(job, run_config, as_json, rows, permission, extra, feed)
    except EcomError as error:
        from ecom_platform.alerts.unbegun import tell_of_error

        # What is wrong with the settings cannot be told by means of them.
        said = "" if isinstance(error, UsageError) else tell_of_error(load_settings(), job, error)
        if said:
            click.echo(said, err=True)
        raise


def _run_job(
    job: str,
    run_config: dict[str, Any],
    as_json: bool,
    rows: int,
    permission: Callable[[Database], None] | None,
    extra: dict[str, Any] | None,
    feed: str | None,
) -> int:
    global _loads
    _loads = True
    started = time.perf_counter()
    settings = load_settings()
    run_id = str(uuid.uuid4())
    from ecom_platform.cli.console import Progress, print_summary
    from ecom_platform.orchestration.cancellation import Cancellation

    cancellation = Cancellation(run_id)
    with Progress(job, run_id, rows) as progress:

        def work() -> RunSummary:
            return _run(settings, job, run_config, run_id, rows, permission, progress, cancellation, feed)

        def farewell() -> str | None:
            progress.stop()
            return cancellation.cancel()

        summary = interruptible(work, farewell)
    summary = summary.after(time.perf_counter() - started)
    if as_json:
        print_json({**summary.as_json(), **(extra or {})})
    print_summary(summary, settings)
    return 0 if summary.success else (summary.error.exit_code if summary.error else 1)


def _run(
    settings: Settings,
    job: str,
    run_config: dict[str, Any],
    run_id: str,
    rows: int,
    permission: Callable[[Database], None] | None,
    progress: Progress,
    cancellation: Cancellation,
    feed: str | None,
) -> RunSummary:
    from ecom_platform.cli.doctor import require
    from ecom_platform.store.provision import provide
    from ecom_platform.store.schema import require_writable

    require(settings, rows)
    # Spark starts while PostgreSQL does, unless it is PostgreSQL that knows whether there is anything to do.
    if permission is None:
        _warm_up(settings)
    progress.say("starting PostgreSQL" if settings.embedded else "connecting to PostgreSQL")
    with provide(settings) as database:
        require_writable(database)
        if permission is not None:
            permission(database)
            _warm_up(settings)
        progress.say("starting Dagster and Spark")
        try:
            with _watching(database, run_id, progress):
                return _execute(settings, job, run_config, run_id, cancellation, feed)
        finally:
            _close_spark()


def _warm_up(settings: Settings) -> None:
    """Spark starts in the background while PostgreSQL and Dagster do."""

    def attempt() -> None:
        from ecom_platform.streaming.session import warm_up

        warm_up(settings)

    threading.Thread(target=attempt, daemon=True).start()


def _close_spark() -> None:
    from ecom_platform.streaming.session import close_session

    close_session()


def _execute(
    settings: Settings,
    job: str,
    run_config: dict[str, Any],
    run_id: str,
    cancellation: Cancellation,
    feed: str | None,
) -> RunSummary:
    from ecom_platform.orchestration.instance import prepare_instance

    home = prepare_instance(settings)
    from ecom_platform.orchestration.code_location import load
    from ecom_platform.orchestration.execution import execute
    from ecom_platform.orchestration.selection import assets_of

    quiet = {"loggers": {"console": {"config": {"log_level": "WARNING"}}}}
    began = datetime.now(UTC)
    defs, workload = load()
    assets = None if feed is None else assets_of([feed], workload)
    summary = execute(defs, home, job, {**run_config, **quiet}, run_id, cancellation, assets)
    from ecom_platform.orchestration.alerting.ended import tell_of_run

    return replace(summary, told=tell_of_run(settings, defs, job, run_id, began), producer=workload.producer)


@contextmanager
def _watching(database: Database, run_id: str, progress: Progress) -> Iterator[None]:
    """Tell ``progress`` what the run has committed, from the tables, while the block runs."""
    from ecom_platform.store.ledger import run_progress

    done = threading.Event()

    def watch() -> None:
        # Only the display hangs on this connection: if it breaks, the run goes on without.
        with suppress(Exception), database.open(autocommit=True) as connection:
            while not done.wait(0.2):
                progress.rows(run_progress(connection, run_id))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(timeout=2)
