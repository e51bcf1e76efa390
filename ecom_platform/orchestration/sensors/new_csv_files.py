"""The sensor ``new_csv_files``: files that have landed are loaded by one run of the job ``ingest``.

Belongs here: gathering what the decision rests on, and translating it. Does not belong here: the
decision (``landing.arrivals``), ending stale runs (``stale_runs``).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import takewhile

import dagster as dg

from ecom_platform.alerts.outbox import DEFAULT_SOURCE, raise_problem, resolve_problem
from ecom_platform.alerts.problem import Kind, Problem
from ecom_platform.catalog import catalog
from ecom_platform.errors import StoreAwayError
from ecom_platform.landing import arrivals
from ecom_platform.landing.arrivals import Attempts, GiveUp, Launch, Skip, State, Waiting
from ecom_platform.landing.inspection import inspection
from ecom_platform.orchestration.declared import DeclaredFeeds
from ecom_platform.orchestration.jobs import INGEST_JOB, WAITING_TAG, ingest_job
from ecom_platform.orchestration.selection import assets_of
from ecom_platform.orchestration.sensors.files_without_feed import told_of_files_without_feed
from ecom_platform.orchestration.stale_runs import (
    UNKNOWN_SECONDS,
    UnknownRun,
    end_stale_runs,
    end_unknown_run,
    takes_pool,
    unknown_runs,
)
from ecom_platform.orchestration.workload import Workload
from ecom_platform.settings import Settings, load_settings
from ecom_platform.store import lock
from ecom_platform.store.alerts import open_problems
from ecom_platform.store.connection import Database
from ecom_platform.store.outcome import feed_of
from ecom_platform.store.provision import provide

# Dagster looks for sensors that are due every five seconds; less than that is as often as it can.
INTERVAL_SECONDS = 1

# A run that begins says nothing for a moment.
_DOUBT_SECONDS = 60.0
# For how long a store that is away is a pause. Then ticks fail, which is told as an alert.
AWAY_SECONDS = 120.0
# By landing place, since when this process finds its store away.
_away_since: dict[str, float] = {}

# The cursor is the fingerprint of what is given up, or one of these: nothing is, or it is being tried again
# and its alert is not over yet. Empty where nothing is remembered.
_NONE = "-"
_AGAIN = "+"

_Status = dg.DagsterRunStatus
_UNFINISHED = [_Status.QUEUED, _Status.NOT_STARTED, _Status.STARTING, _Status.STARTED, _Status.CANCELING]
_FINISHED = [_Status.SUCCESS, _Status.FAILURE, _Status.CANCELED]
_NEWEST_RUNS = 20
_NAMED_FEEDS = 5


@dg.sensor(
    job=ingest_job,
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Loads what has landed: one run of `ingest` for every file that waits and is at rest.",
)
def new_csv_files(
    context: dg.SensorEvaluationContext,
    ecom_workload: dg.ResourceParam[Workload],
    ecom_declared: dg.ResourceParam[DeclaredFeeds],
) -> dg.SensorResult:
    """Loads what has landed: one run of `ingest` for every file that waits, of the feeds they are of.

    Files that are still being written are left alone, and so is everything while another ingest or the
    live mode is at work. After a failure it waits, longer each time; a set of files that has failed
    six times is given up until it changes. Runs whose process is gone are ended first, and those of which
    nothing is known when they have said nothing for a quarter of an hour.
    """
    for run_id in end_stale_runs(context.instance):
        context.log.warning(f"Run {run_id} was ended: its process is gone.")
    settings = load_settings()
    _end_unknown_runs(context, settings)
    state = survey(context.instance, settings)
    decision = arrivals.decide(state)
    # While a run is under way nothing was looked at, and it has the check as well.
    unseen = bool(state.under_way) or state.away is not None
    events = [] if unseen else told_of_files_without_feed(settings, state.without_feed, ecom_declared)
    if isinstance(decision, Launch):
        context.log.info(decision.reason)
        cursor = _end_given_up(context.cursor, state)
        request = dg.RunRequest(
            tags={WAITING_TAG: decision.fingerprint},
            asset_selection=_selection(decision, ecom_declared, ecom_workload),
        )
        return dg.SensorResult([request], cursor=cursor, asset_events=events)
    if isinstance(decision, Skip):
        if unseen or (state.lock_holder is not None and not state.live):
            # What was given up may be what is being loaded: not over yet.
            return dg.SensorResult(skip_reason=decision.reason, cursor=context.cursor, asset_events=events)
        cursor = _end_given_up(context.cursor, state)
        return dg.SensorResult(skip_reason=decision.reason, cursor=cursor, asset_events=events)
    if context.cursor != decision.fingerprint:
        report_given_up(context, decision)
    given_up = f"Given up: {decision.reason}"
    return dg.SensorResult(skip_reason=given_up, cursor=decision.fingerprint, asset_events=events)


def _selection(decision: Launch, declared: DeclaredFeeds, workload: Workload) -> list[dg.AssetKey] | None:
    """The assets of the feeds whose files wait, and what follows from them; ``None``: all, also where a feed
    was declared after the code location was loaded."""
    feeds = {feed_of(name) for name in decision.files}
    return assets_of(feeds, workload) if feeds < set(declared.names) else None


def _end_unknown_runs(context: dg.SensorEvaluationContext, settings: Settings) -> None:
    """Runs of which nothing is known hold up loading for a while, not for ever."""
    overdue = [unknown for unknown in unknown_runs(context.instance, time.time()) if unknown.overdue]
    if not overdue:
        return
    with provide(settings) as database, database.open(autocommit=True) as connection:
        holder = lock.holder(connection)
    if holder is not None:
        context.log.warning(f"Nothing is known of run {overdue[0].run.run_id}; the lock is held by {holder}.")
        return
    for unknown in overdue:
        if end_unknown_run(context.instance, unknown):
            context.log.error(
                f"Run {unknown.run.run_id} was ended: nothing is known of its process, and it has said "
                f"nothing for {unknown.silent / 60:.0f} minutes."
            )


def report_given_up(context: dg.SensorEvaluationContext, decision: GiveUp) -> None:
    """Say that files were given up, once for each set: as an alert, in the tick's log, on the asset."""
    _alert(decision, load_settings())
    context.log.error(decision.reason)
    for feed in sorted({feed_of(name) for name in decision.files}):
        files = [name for name in decision.files if feed_of(name) == feed]
        context.instance.report_runless_asset_event(
            dg.AssetObservation(
                asset_key=feed,
                description=decision.reason,
                metadata={"given_up_files": len(files), "given_up": files[:100]},
            )
        )


def _alert(decision: GiveUp, settings: Settings) -> None:
    feeds = list(dict.fromkeys(feed_of(name) for name in decision.files))
    asset, named = feeds[0], ", ".join(feeds[:_NAMED_FEEDS])
    problem = Problem(
        key=_alert_key(decision.fingerprint),
        kind=Kind.INGEST_GIVEN_UP,
        title=f"{named}: the sensor has given up on {len(decision.files)} of the landed files",
        asset=asset,
        expected="every file that lands is loaded or quarantined",
        found=decision.reason,
        link=f"{settings.alerts.ui_url}/assets/{asset}",
        details={"files": list(decision.files[:100])},
        remedy="The log of the newest failed run of the job `ingest` says why, `ecom doctor` what is missing."
        " When that is put right, launch the job `ingest` or run `ecom ingest`. It is over when none of these"
        " files waits any more.",
    )
    with provide(settings) as database:
        _resolve_gone(database, frozenset(decision.files))
        raise_problem(database, problem)


def _end_given_up(cursor: str | None, state: State) -> str:
    """What was given up is over when it no longer waits; returns the cursor.

    Without a memory of the last tick, the database is asked too.
    """
    if cursor == _NONE:
        return _NONE
    there = frozenset([*(file.name for file in state.waiting), *state.growing])
    with provide(load_settings()) as database:
        return _AGAIN if _resolve_gone(database, there) else _NONE


def _resolve_gone(database: Database, waiting: frozenset[str]) -> bool:
    """Resolve the problems none of whose files waits; returns whether another is open.

    That files are tried again, or wait beside others now, is not yet the end for whoever was told.
    """
    left = False
    with database.transaction() as connection:
        for problem in open_problems(connection, DEFAULT_SOURCE, Kind.INGEST_GIVEN_UP):
            if waiting.isdisjoint(problem.details.get("files", ())):
                resolve_problem(
                    connection, problem.key, "None of the files that were given up waits any more."
                )
            else:
                left = True
    return left


def _alert_key(fingerprint: str) -> str:
    return f"ingest-given-up/{fingerprint}"


def survey(instance: dg.DagsterInstance, settings: Settings) -> State:
    """Everything that the decision rests on.

    The order matters. With no run under way before the look at the disk, what is seen there cannot
    already be loaded. The database is only asked when there is something on disk, so that quiet ticks
    need none.
    """
    now = time.time()
    under_way = tuple(_under_way(instance))
    if under_way:
        return State(now, under_way=under_way)
    try:
        work = inspection(settings, hurried=True).work(catalog(settings).feeds)
    except StoreAwayError as error:
        if now - _away_since.setdefault(settings.landing_place, now) > AWAY_SECONDS:
            raise
        return State(now, away=str(error))
    _away_since.pop(settings.landing_place, None)
    holder = work.holder
    return State(
        now,
        work.waiting,
        work.growing,
        work.refused,
        work.without_feed,
        lock_holder=str(holder) if holder else None,
        live=holder is not None and holder.live,
        attempts=_attempts(instance, work.waiting) if work.waiting else Attempts(),
    )


def _under_way(instance: dg.DagsterInstance) -> Iterable[str]:
    """Runs that have not ended and that ingest, whatever their job: those that take the pool."""
    unknown = {found.run.run_id: found for found in unknown_runs(instance, time.time())}
    for record in instance.get_run_records(dg.RunsFilter(statuses=_UNFINISHED)):
        run = record.dagster_run
        if takes_pool(run):
            doubt = _doubt(unknown.get(run.run_id))
            yield f"run {run.run_id} of {run.job_name}, {run.status.value.lower()}{doubt}"


def _doubt(unknown: UnknownRun | None) -> str:
    if unknown is None or unknown.silent < _DOUBT_SECONDS:
        return ""
    left = max(UNKNOWN_SECONDS - unknown.silent, 0) / 60
    return f" (nothing is known of its process; it is ended in {left:.0f} min unless it says something)"


def _attempts(instance: dg.DagsterInstance, waiting: frozenset[Waiting]) -> Attempts:
    """Runs that ended although their files still wait. How they ended does not matter for these files."""
    tags = {WAITING_TAG: arrivals.fingerprint(waiting)}
    same = instance.get_run_records(dg.RunsFilter(statuses=_FINISHED, tags=tags), limit=_NEWEST_RUNS)
    newest = instance.get_run_records(
        dg.RunsFilter(job_name=INGEST_JOB, statuses=_FINISHED), limit=_NEWEST_RUNS
    )
    in_a_row = list(takewhile(lambda record: record.dagster_run.status is not _Status.SUCCESS, newest))
    ends = [record.end_time for record in [*same, *in_a_row] if record.end_time is not None]
    return Attempts(len(same), len(in_a_row), max(ends, default=None))
