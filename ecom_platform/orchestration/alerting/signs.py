"""From what Dagster recorded to signs of problems, purely.

Belongs here: what counts as a problem of any Dagster project, its key, its words, and when it is over.
Does not belong here: reading the event log or the runs (``reading``, ``runs``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import dagster as dg

from ecom_platform.alerts.problem import Kind, Problem, Raised, Resolved, Sign
from ecom_platform.orchestration.dagster_private import FreshnessState

# Dagster's names for runs of a selection of assets that belongs to no job: by the UI, by code.
AD_HOC_JOBS = frozenset({"__ASSET_JOB", "__ephemeral_asset_job__"})


# What a check says about itself in the UI, under *About*: asset, name; empty where it says nothing.
Described = Callable[[dg.AssetKey, str], str]


def undescribed(key: dg.AssetKey, name: str) -> str:  # noqa: ARG001
    return ""


def moment(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)


def run_link(ui_url: str, run_id: str) -> str:
    return f"{ui_url}/runs/{run_id}"


def asset_link(ui_url: str, key: dg.AssetKey) -> str:
    return f"{ui_url}/assets/{'/'.join(key.path)}"


# -- checks --------------------------------------------------------------------------------------


def check_key(key: dg.AssetKey, name: str, partition: str | None = None) -> str:
    return "/".join(["check", key.to_user_string(), name, *([partition] if partition else [])])


def check_link(ui_url: str, key: dg.AssetKey, name: str) -> str:
    """The check's own page: that of its run says *Success*, since the run did what it should."""
    return f"{asset_link(ui_url, key)}?{urlencode({'view': 'checks', 'checkDetail': name})}"


def evaluated(
    evaluation: Any, run_id: str, timestamp: float, ui_url: str, described: Described = undescribed
) -> Sign:
    """A check has answered. Only severity ERROR is a problem; any other answer ends one.

    The problem carries what the UI shows of the check: its sentence, its metadata, its description.
    """
    asset = evaluation.asset_key.to_user_string()
    key = check_key(evaluation.asset_key, evaluation.check_name, evaluation.partition)
    if evaluation.passed or evaluation.severity is not dg.AssetCheckSeverity.ERROR:
        answer = "The check passed." if evaluation.passed else "The check failed, but only as a warning."
        return Resolved(key, answer, moment(timestamp))
    values = _details(evaluation.metadata)
    expected = str(values.pop("expected", "")) or "the check passes"
    sentence = evaluation.description or ""
    found = str(values.pop("found", "")) or sentence or "the check failed, without saying why"
    if sentence and not (expected in sentence and found in sentence):
        values["says"] = sentence
    if evaluation.partition:
        values["partition"] = evaluation.partition
    about, remedy = _about(described(evaluation.asset_key, evaluation.check_name))
    if about:
        values["about"] = about
    problem = Problem(
        key=key,
        kind=Kind.CHECK_FAILED,
        title=f"{asset}: check {evaluation.check_name} failed",
        asset=asset,
        check=evaluation.check_name,
        expected=expected,
        found=found,
        run_id=run_id or None,
        link=check_link(ui_url, evaluation.asset_key, evaluation.check_name),
        details=values,
        remedy=remedy,
    )
    return Raised(problem, moment(timestamp))


def _about(description: str) -> tuple[str, str | None]:
    """What a check's description promises, and from "If it fails" on, where it says so, what to do."""
    begin = description.lower().find("if it fails")
    if begin < 0:
        return description, None
    return description[:begin].strip(), description[begin:]


def _details(metadata: Mapping[str, Any]) -> dict[str, object]:
    """What a check found, as text: also tables and JSON, which name the rows in question."""
    values: dict[str, object] = {}
    for name, value in metadata.items():
        if isinstance(value, dg.TableMetadataValue):
            values[name] = [_fields(record.data) for record in value.records]
        elif isinstance(value.value, list):
            values[name] = [_fields(item) if isinstance(item, Mapping) else str(item) for item in value.value]
        elif isinstance(value.value, Mapping):
            values[name] = json.dumps(value.value, ensure_ascii=False, default=str)
        else:
            values[name] = str(value.value)
    return values


def _fields(record: Mapping[str, object]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in record.items())


# -- runs ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PlannedCheck:
    """A check that a run was to evaluate, and in which step."""

    asset_key: dg.AssetKey
    name: str
    step_key: str | None
    partition: str | None = None


@dataclass(frozen=True, slots=True)
class EndedRun:
    """What is to be known of a run that succeeded or failed."""

    run_id: str
    job: str
    location: str
    at: datetime
    # Steps that failed, with their errors, and those that succeeded, by key.
    failed: dict[str, str] = field(default_factory=dict)
    succeeded: Sequence[str] = ()
    # The assets that a step was to make or to check, by the step's key; several for a multi-asset.
    assets: dict[str, list[str]] = field(default_factory=dict)
    # Planned, but never evaluated.
    unanswered: Sequence[PlannedCheck] = ()
    # What the run itself ended in, where no step failed.
    error: str = ""
    # Dagster starts it again by itself.
    retried: bool = False


def run_failed(run: EndedRun, ui_url: str) -> Iterator[Sign]:
    """A run has failed: itself, and each check of it that raised instead of answering."""
    link = run_link(ui_url, run.run_id)
    for check in run.unanswered:
        if check.step_key in run.failed:
            yield Raised(_raised(check, run, link), run.at)
    if run.retried:
        return
    step = next(iter(run.failed), None)
    error = f"step {step} failed: {run.failed[step]}" if step else run.error or "the run failed"
    name = "a materialization" if run.job in AD_HOC_JOBS else f"job {run.job}"
    problem = Problem(
        key=_run_key(run, step),
        kind=Kind.RUN_FAILED,
        title=f"{name} failed" + (f" in step {step}" if step else ""),
        # A step is no asset: an op makes none, a multi-asset makes several.
        asset=", ".join(run.assets.get(step or "", ())) or None,
        expected="the run succeeds",
        found=error,
        run_id=run.run_id,
        link=link,
        details={"failed_steps": list(run.failed)} if len(run.failed) > 1 else {},
    )
    yield Raised(problem, run.at)


def run_succeeded(run: EndedRun) -> Iterator[Resolved]:
    """A run has succeeded: earlier failures of its job are over; of a selection, those of its steps."""
    steps = [None, *run.succeeded] if run.job in AD_HOC_JOBS else [None]
    for step in steps:
        yield Resolved(_run_key(run, step), f"Run {run.run_id} of the same job succeeded.", run.at)


def _run_key(run: EndedRun, step: str | None) -> str:
    if run.job in AD_HOC_JOBS:
        return f"run/{run.location}//{step or ''}"
    return f"run/{run.location}/{run.job}"


def _raised(check: PlannedCheck, run: EndedRun, link: str) -> Problem:
    asset = check.asset_key.to_user_string()
    return Problem(
        key=check_key(check.asset_key, check.name, check.partition),
        kind=Kind.CHECK_RAISED,
        title=f"{asset}: check {check.name} gave no answer",
        asset=asset,
        check=check.name,
        expected="the check answers",
        found=f"it raised {run.failed[str(check.step_key)]}",
        run_id=run.run_id,
        link=link,
        details={"partition": check.partition} if check.partition else {},
    )


def first_line(class_name: str | None, message: str) -> str:
    """An error as one line, with the name of its class in front. Whole: it is cut when it is masked."""
    text = " ".join(message.split())
    return text if class_name is None or text.startswith(class_name) else f"{class_name}: {text}"


# -- runs that do not end ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UnendedRun:
    """A run that waits or works; ``since`` is when it began to."""

    run_id: str
    job: str
    status: str
    since: datetime
    # The limit of its own tag dagster/max_runtime, if it has one.
    limit: timedelta | None


HANG_PREFIX = "hang/"


def hanging(
    runs: Sequence[UnendedRun], open_keys: Sequence[str], limit: timedelta, now: datetime, ui_url: str
) -> Iterator[Sign]:
    """Runs past their time, and the end of those that were."""
    hang = set()
    for run in runs:
        allowed = run.limit or limit
        if allowed and now - run.since > allowed:
            hang.add(f"{HANG_PREFIX}{run.run_id}")
            yield Raised(_hangs(run, allowed, ui_url), run.since + allowed)
    for key in open_keys:
        if key not in hang:
            yield Resolved(key, "The run has gone on or ended.", now)


def _hangs(run: UnendedRun, allowed: timedelta, ui_url: str) -> Problem:
    name = "a materialization" if run.job in AD_HOC_JOBS else f"a run of job {run.job}"
    return Problem(
        key=f"{HANG_PREFIX}{run.run_id}",
        kind=Kind.RUN_HANGS,
        title=f"{name} hangs",
        expected=f"not longer than {allowed.total_seconds():,.0f} s",
        found=f"{run.status.lower()} since {run.since:%Y-%m-%d %H:%M:%S} UTC",
        run_id=run.run_id,
        link=run_link(ui_url, run.run_id),
    )


# -- freshness -----------------------------------------------------------------------------------


def freshness_changed(change: Any, timestamp: float, ui_url: str) -> Sign:
    """An asset has lost its freshness, or has it again."""
    asset = change.key.to_user_string()
    key = f"freshness/{asset}"
    if change.new_state is not FreshnessState.FAIL:
        return Resolved(key, f"Its freshness is {change.new_state.value}.", moment(timestamp))
    problem = Problem(
        key=key,
        kind=Kind.FRESHNESS_LOST,
        title=f"{asset} is no longer fresh",
        asset=asset,
        expected="a materialization within its freshness policy",
        found=f"none; its freshness went from {change.previous_state.value} to FAIL",
        link=asset_link(ui_url, change.key),
    )
    return Raised(problem, moment(timestamp))
