"""Runs whose process is gone without having said so: they are ended, and what they held is freed.

Belongs here: finding them and ending them. Dagster's default launcher has no health check: a code
server that was killed takes the watch over its runs with it, and a run in the state STARTED then
occupies the ingest pool for ever. Does not belong here: how a process shows that it is there
(``presence``).

Asked in the code server, which starts the runs' processes: what is looked at is its own machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import psutil

from ecom_platform.orchestration.dagster_private import GRPC_INFO_TAG
from ecom_platform.orchestration.jobs import POOL
from ecom_platform.orchestration.presence import Presence, forget, known, presence

# A run is NOT_STARTED between its first row and its first event, also where its process runs already.
_RUNNING = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
# Clocks of the kernel and of Dagster's events: so much may lie between them for one moment.
_CLOCKS_SECONDS = 5.0
_MESSAGE = "The process of this run is gone: it was killed, or its machine restarted."
# A run that holds the pool, of whose process nothing is known, may say nothing for so long. A run of this
# machine is known, so this is for what an older version left, or a Dagster home without its `presence/`.
UNKNOWN_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class UnknownRun:
    """A run that holds up loading, of whose process nothing is known; ``silent`` in seconds."""

    run: dg.DagsterRun
    silent: float

    @property
    def overdue(self) -> bool:
        """Whether it has held up loading for long enough."""
        return self.silent >= UNKNOWN_SECONDS


def takes_pool(run: dg.DagsterRun) -> bool:
    """Whether the run ingests, whatever its job."""
    needed = run.run_op_concurrency
    return needed is not None and POOL in (needed.all_pools or ())


def unknown_runs(instance: dg.DagsterInstance, now: float) -> list[UnknownRun]:
    """Runs that hold up loading and of whose process nothing is known, after :func:`end_stale_runs`."""
    home = Path(instance.root_directory)
    found = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=_RUNNING)):
        run = record.dagster_run
        if not takes_pool(run) or presence(home, run.run_id) is not Presence.UNKNOWN or _pid(instance, run):
            continue
        newest = instance.get_records_for_run(run.run_id, limit=1, ascending=False).records
        spoke_at = newest[0].event_log_entry.timestamp if newest else record.create_timestamp.timestamp()
        found.append(UnknownRun(run, now - spoke_at))
    return found


def end_unknown_run(instance: dg.DagsterInstance, unknown: UnknownRun) -> bool:
    """End a run that is overdue; whether it had not ended by itself. Its end is told as any failure is."""
    message = (
        "Nothing is known of the process of this run, and it has said nothing for "
        f"{unknown.silent / 60:.0f} minutes, while nobody holds the ingest lock. It is ended so that what "
        "lands is loaded. If it does run somewhere, it may go on: nothing is loaded twice."
    )
    return _end(instance, unknown.run.run_id, message)


def end_stale_runs(instance: dg.DagsterInstance) -> list[str]:
    """End every run whose process is known to be gone; returns their ids.

    Never by age: a run of whose process nothing is known is left to :func:`unknown_runs`.
    """
    home = Path(instance.root_directory)
    running = [record.dagster_run for record in instance.get_run_records(dg.RunsFilter(statuses=_RUNNING))]
    ended = [run.run_id for run in running if _gone(instance, home, run) and _end(instance, run.run_id)]
    _tidy(instance, home)
    return ended


def _gone(instance: dg.DagsterInstance, home: Path, run: dg.DagsterRun) -> bool:
    seen = presence(home, run.run_id)
    if seen is Presence.UNKNOWN:
        return _gone_before_it_appeared(instance, run)
    # Where each step is a process, as in jobs of other projects, the step that held the lock has ended, and
    # the run goes on.
    return seen is Presence.GONE and not _speaks(instance, run)


def _gone_before_it_appeared(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Killed between its very first event, which names its pid, and the lock.

    Only for runs that were launched over a socket, which is to say on this machine.
    """
    spoken = _pid(instance, run)
    return spoken is not None and not _is_there(*spoken)


def _speaks(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether the process that the run's first event names is still there."""
    spoken = _pid(instance, run)
    return spoken is not None and _is_there(*spoken)


def _pid(instance: dg.DagsterInstance, run: dg.DagsterRun) -> tuple[int, float] | None:
    """The pid on this machine that the run's first event names, and when it did."""
    if '"socket"' not in run.tags.get(GRPC_INFO_TAG, ""):
        return None
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        pid = entry.get_dagster_event().engine_event_data.metadata.get("pid")
        if pid is not None:
            return int(str(pid.value)), entry.timestamp
    return None


def _is_there(pid: int, spoken_of_at: float) -> bool:
    """Whether the process that an event of that time speaks of lives: not one that has its pid by now."""
    try:
        process = psutil.Process(pid)
        ended = process.status() == psutil.STATUS_ZOMBIE
        return not ended and process.create_time() <= spoken_of_at + _CLOCKS_SECONDS
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def _end(instance: dg.DagsterInstance, run_id: str, message: str = _MESSAGE) -> bool:
    # Read again now that its process is known to be gone: it may have come to its end before.
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        return False
    if run.status is dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, message)
    else:
        instance.report_run_failed(run, message)
    if instance.event_log_storage.supports_global_concurrency_limits:
        instance.event_log_storage.free_concurrency_slots_for_run(run_id)
    return True


def _tidy(instance: dg.DagsterInstance, home: Path) -> None:
    """Remove the files of runs that have ended."""
    for run_id in known(home):
        if presence(home, run_id) is Presence.GONE:
            run = instance.get_run_by_id(run_id)
            if run is None or run.is_finished:
                forget(home, run_id)
