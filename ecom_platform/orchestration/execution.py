"""Running a job in this process, and the account that ``ecom`` prints of it.

Belongs here: the Dagster instance under ``ECOM_HOME``, one run from start to end, its events as
a plain summary. Does not belong here: what is printed how (``cli``).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg

from ecom_platform.errors import EcomError, IngestError, PrerequisiteError, StorageError
from ecom_platform.orchestration import presence
from ecom_platform.orchestration.cancellation import Cancellation
from ecom_platform.orchestration.dagster_private import (
    SINGLETON_REPOSITORY_NAME,
    DagsterAssetCheckFailedError,
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from ecom_platform.orchestration.instance import CODE_LOCATION, first_use
from ecom_platform.orchestration.stale_runs import end_stale_runs
from ecom_platform.store.refusals import refusal

_CONFIGURATION = "dagster.yaml"
_ROWS = ("read", "inserted", "updated", "stale", "duplicate", "rejected")


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """One evaluated check, by the name ``asset:check``."""

    name: str
    passed: bool
    severity: str
    expected: str
    found: str
    details: dict[str, str]


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run did. ``error`` is what it ended in, if it did not come to its end."""

    run_id: str
    materializations: dict[str, dict[str, Any]]
    checks: list[CheckOutcome]
    seconds: float
    error: EcomError | None
    # Who was told of what went wrong, in a sentence; empty where nothing did.
    told: str = ""
    # The asset that made the files, if the workload has one.
    producer: str | None = None

    def after(self, seconds: float) -> RunSummary:
        """The same run, timed from where the caller began."""
        return replace(self, seconds=seconds)

    @property
    def success(self) -> bool:
        """Whether the run came to its end and every check of severity ERROR passed."""
        return self.error is None and not self.failed

    @property
    def failed(self) -> list[CheckOutcome]:
        """Checks of severity ERROR that did not pass."""
        return [check for check in self.checks if not check.passed and check.severity == "ERROR"]

    @property
    def warned(self) -> list[CheckOutcome]:
        """Checks of severity WARN that did not pass."""
        return [check for check in self.checks if not check.passed and check.severity == "WARN"]

    @property
    def refused(self) -> dict[str, str]:
        """What lies in the landing folder and was not taken, and why."""
        refused: dict[str, str] = {}
        for materialized in self.materializations.values():
            refused |= materialized.get("refused") or {}
        return refused

    @property
    def waiting(self) -> dict[str, str]:
        """The files of no feed in the landing folder: what each looks like, and what to do."""
        waiting: dict[str, str] = {}
        for materialized in self.materializations.values():
            waiting |= materialized.get("waiting") or {}
        return waiting

    @property
    def quarantined(self) -> dict[str, str]:
        """Files that could not be read: why, and where each lies."""
        quarantined: dict[str, str] = {}
        for materialized in self.materializations.values():
            quarantined |= materialized.get("quarantined") or {}
        return quarantined

    @property
    def rows_by_feed(self) -> dict[str, dict[str, int]]:
        """The rows of each feed that had files in this run, by what became of them."""
        return {
            name: {row: int(metadata.get(f"rows_{row}", 0)) for row in _ROWS}
            for name, metadata in self.materializations.items()
            if metadata.get("files_landed")
        }

    @property
    def rows(self) -> dict[str, int]:
        """Rows of the files that this run brought to a final state, of all feeds, by what became of them."""
        return {name: self._sum(f"rows_{name}") for name in _ROWS}

    @property
    def files(self) -> dict[str, int]:
        """The same of these files."""
        return {name: self._sum(f"files_{name}") for name in ("landed", "loaded", "quarantined", "unsettled")}

    @property
    def load(self) -> dict[str, Any]:
        """What the assets of the feeds say of the run as a whole; empty where none came to its end."""
        return self._of_feeds[0] if self._of_feeds else {}

    @property
    def _of_feeds(self) -> list[dict[str, Any]]:
        return [metadata for metadata in self.materializations.values() if "files_landed" in metadata]

    def _sum(self, figure: str) -> int:
        return sum(int(metadata.get(figure, 0)) for metadata in self._of_feeds)

    @property
    def report(self) -> str | None:
        """Where the report is, if the run came as far as to write it."""
        path = self.materializations.get("performance_report", {}).get("report")
        return None if path is None else str(path)

    def as_json(self) -> dict[str, Any]:
        """The object of ``--json``."""
        generated = self.materializations.get(self.producer or "", {})
        summary: dict[str, Any] = {
            "run_id": self.run_id,
            "success": self.success,
            "files": {**self.files, "waiting": self.waiting, "refused": self.refused},
            "rows": self.rows,
            "checks": {
                "passed": sum(check.passed for check in self.checks),
                "failed": [check.name for check in self.failed],
                "warned": [check.name for check in self.warned],
            },
            "seconds": {
                "generate": round(float(generated.get("seconds", 0.0)), 3),
                "stream": round(float(self.load.get("seconds", 0.0)), 3),
                "total": round(self.seconds, 3),
            },
        }
        if self.report is not None:
            summary["report"] = self.report
        if self.error is not None:
            summary["error"] = self.error.as_json()
        return summary


def execute(
    defs: dg.Definitions,
    home: Path,
    job_name: str,
    run_config: Mapping[str, Any],
    run_id: str,
    cancellation: Cancellation | None = None,
    assets: Sequence[dg.AssetKey] | None = None,
) -> RunSummary:
    """Run a job of the code location in this process; it shows in the UI like any other run.

    ``assets`` are those of the job that it is about, without them all. ``home`` is the folder of Dagster's
    instance, as ``prepare_instance`` gave it.
    """
    started = time.perf_counter()
    error: EcomError | None = None
    present = (home / _CONFIGURATION).is_file()
    presence.appear(home, run_id)
    with _open_instance(home) as instance:
        # Those that were killed while no daemon ran, which would look at them.
        end_stale_runs(instance)
        job = defs.resolve_job_def(job_name)
        _list_under(instance, job_name)
        if cancellation is not None:
            cancellation.begin(instance)
        try:
            job.execute_in_process(
                run_config=dict(run_config), instance=instance, run_id=run_id, asset_selection=assets
            )
        except DagsterAssetCheckFailedError:
            pass  # the check's own evaluation says it better
        except Exception as failure:
            error = _as_ecom_error(failure, home)
        try:
            materializations, checks = _account(instance, run_id)
        except Exception as failure:
            # The run's own error comes first; this one has the same cause as a rule.
            error = error or _as_ecom_error(failure, home)
            materializations, checks = {}, []
    if error is not None and present and not (home / _CONFIGURATION).is_file():
        error = _removed(home)
    presence.leave(home, run_id)
    return RunSummary(run_id, materializations, checks, time.perf_counter() - started, error)


def _open_instance(home: Path) -> dg.DagsterInstance:
    try:
        with first_use(home):
            instance = dg.DagsterInstance.get()
            # Each of these makes its tables when it is first asked for.
            _ = instance.run_storage, instance.event_log_storage, instance.schedule_storage
            return instance
    except EcomError:
        raise
    except Exception as error:
        raise of_storage(error, home) or PrerequisiteError(
            f"Dagster's instance in {home} cannot be used: {' '.join(str(error).split())[:300]}",
            "Correct its dagster.yaml, or unset DAGSTER_HOME for an instance under ECOM_HOME.",
        ) from error


def of_storage(failure: BaseException, home: Path) -> StorageError | None:
    """The sentence for a disk that is full or a folder that is gone, which SQLite tells in its own words."""
    text = str(failure).lower()
    if "disk is full" in text or "no space left" in text:
        return StorageError(
            f"The disk of {home} is full.",
            "Make room, then run again: what was committed stays, the rest is loaded then.",
        )
    if not home.is_dir() or "readonly database" in text or "unable to open database" in text:
        return _removed(home)
    return None


def _removed(home: Path) -> StorageError:
    return StorageError(
        f"The folder {home} was removed, or cannot be written any more.",
        "Leave it as it is while something runs. Run again: what is missing is made anew.",
    )


def _list_under(instance: dg.DagsterInstance, job_name: str) -> None:
    """Have the run that is about to be made belong to the job that the UI lists, as one launched there does.

    Dagster makes a run that is executed in its caller's process one of no code location, and has no argument
    for it: neither the job's page nor the overview would show it.
    """
    repository = RemoteRepositoryOrigin(
        RegisteredCodeLocationOrigin(CODE_LOCATION), SINGLETON_REPOSITORY_NAME
    )
    create = partial(instance.create_run_for_job, remote_job_origin=RemoteJobOrigin(repository, job_name))
    instance.create_run_for_job = create  # type: ignore[method-assign]


def _as_ecom_error(failure: BaseException, home: Path) -> EcomError:
    """Our own error out of whatever Dagster wrapped around it."""
    seen: list[BaseException] = []
    cause: BaseException | None = failure
    # Py4J makes chains that end in themselves.
    while cause is not None and cause not in seen:
        known = cause if isinstance(cause, EcomError) else refusal(cause)
        if known is not None:
            return known
        seen.append(cause)
        storage = of_storage(cause, home)
        if storage is not None:
            return storage
        cause = cause.__cause__ or cause.__context__
    return IngestError(
        f"The run ended in {type(failure).__name__}: {' '.join(str(failure).split())[:500]}",
        "The Dagster UI (`make dev`) has the run's whole log.",
    )


def _account(
    instance: dg.DagsterInstance, run_id: str
) -> tuple[dict[str, dict[str, Any]], list[CheckOutcome]]:
    """Materialisations and check evaluations of a run, from its event log."""
    kinds = {dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_CHECK_EVALUATION}
    materializations: dict[str, dict[str, Any]] = {}
    checks: list[CheckOutcome] = []
    for record in instance.get_records_for_run(run_id, of_type=kinds).records:
        event = record.event_log_entry.get_dagster_event()
        if event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION:
            materialization = event.step_materialization_data.materialization
            values = {name: value.value for name, value in materialization.metadata.items()}
            materializations[materialization.asset_key.to_user_string()] = values
        else:
            checks.append(_check(event.asset_check_evaluation_data))
    return materializations, checks


def _check(evaluation: Any) -> CheckOutcome:
    metadata = {name: str(value.value) for name, value in evaluation.metadata.items()}
    return CheckOutcome(
        name=f"{evaluation.asset_key.to_user_string()}:{evaluation.check_name}",
        passed=evaluation.passed,
        severity=evaluation.severity.value,
        expected=metadata.pop("expected", ""),
        found=metadata.pop("found", ""),
        details=metadata,
    )
