"""What held a run back, in a sentence, and what to do about it: by rules, from the figures.

Belongs here: the rules. They are tried in the order of :func:`judge`; the first that holds speaks, and
every number in its sentences is one of the evidence. Does not belong here: where the figures come from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from ecom_platform.reporting.figures import (
    BOOKKEEPING,
    COMMIT,
    COPY,
    DECODE,
    LISTING,
    PLANNING,
    TASKS,
    WAITING,
    Run,
    wall_seconds,
)
from ecom_platform.reporting.sampler import POSTGRES

# Shares from which a rule holds.
MANY_REJECTS = 0.20
LITTLE_MEMORY = 0.10
BUSY_HOST = 0.90
OURS = 0.60
MUCH_COLLECTION = 0.20
MANY_WHOLE_PAGES = 0.50
PAGE_BYTES = 8192
# From this many micro-batches on, their number is what costs; with fewer it is starting at all.
MANY_BATCHES = 5


class Cause(StrEnum):
    """What held the run back."""

    NOTHING_LOADED = "nothing loaded"
    REJECTS = "rejects"
    MEMORY = "memory"
    PROCESSORS = "processors"
    TRIGGER = "trigger"
    DISK = "disk"
    POSTGRES = "PostgreSQL"
    DECODING = "decoding"
    MANY_BATCHES = "many batches"
    START = "start"


@dataclass(frozen=True, slots=True)
class Evidence:
    """The figures that the rules look at. ``parts`` is wall time in seconds (``figures.PARTS``).

    ``cores`` are those of this host, ``slots`` the tasks that can run at once, wherever;
    ``trigger_seconds`` is the interval that a live run waits for, 0 in a bounded one.
    """

    rows_read: int
    rows_rejected: int = 0
    reason: str = ""
    reason_rows: int = 0
    batches: int = 1
    parts: dict[str, float] = field(default_factory=dict)
    cores: int = 1
    slots: int = 1
    trigger_seconds: float = 0.0
    sampled_seconds: float = 0.0
    our_cpu_seconds: float = 0.0
    host_cpu_seconds: float = 0.0
    postgres_cpu_seconds: float | None = None
    memory_total_bytes: float = 0.0
    memory_available_bytes: float = 0.0
    executor_task_seconds: float = 0.0
    executor_gc_seconds: float = 0.0
    wal_bytes: float = 0.0
    full_pages: float = 0.0
    checkpoints: float = 0.0

    @classmethod
    def of(cls, run: Run) -> Evidence:
        spent = wall_seconds(run.batches, run.cores)
        return cls(
            rows_read=run.files.rows_read,
            rows_rejected=run.files.rows_rejected,
            reason=run.rejects[0][0] if run.rejects else "",
            reason_rows=run.rejects[0][1] if run.rejects else 0,
            batches=len(run.batches),
            parts={part: sum(batch[part] for batch in spent) for part in spent[0]} if spent else {},
            cores=run.cores,
            slots=run.slots,
            trigger_seconds=run.trigger_seconds,
            sampled_seconds=run.value("sampled_seconds") or 0.0,
            our_cpu_seconds=run.value("cpu_seconds") or 0.0,
            host_cpu_seconds=run.value("host_cpu_seconds") or 0.0,
            postgres_cpu_seconds=run.value("cpu_seconds", POSTGRES),
            memory_total_bytes=run.value("memory_total_bytes") or 0.0,
            memory_available_bytes=run.value("memory_available_bytes") or 0.0,
            executor_task_seconds=run.value("executor_task_seconds") or 0.0,
            executor_gc_seconds=run.value("executor_gc_seconds") or 0.0,
            wal_bytes=run.value("postgres_wal_bytes") or 0.0,
            full_pages=run.value("postgres_full_pages") or 0.0,
            checkpoints=run.value("postgres_checkpoints") or 0.0,
        )

    @property
    def seconds(self) -> float:
        return sum(self.parts.values())

    @property
    def advised_trigger(self) -> float:
        """The interval after which batches follow one another without a pause: the work of one."""
        work = (self.seconds - self.parts.get(WAITING, 0.0)) / self.batches
        return max(round(work, 1), 0.1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A cause, the sentence that says why it is the one, and what to do."""

    cause: Cause
    sentence: str
    recommendation: str


def judge(evidence: Evidence) -> Verdict:
    """The bottleneck of a run.

    In this order: nothing was read; a fifth of the rows was refused; less than a tenth of the memory was
    left, of the machine's or our container's, or executors spent a fifth of their tasks' time collecting
    garbage; other programs had the processors; else the part that took most of the time, where waiting
    counts only if a lower trigger would shorten it, and listing, planning, starting tasks and bookkeeping
    count together as what a micro-batch costs by itself.
    """
    if evidence.rows_read == 0:
        return Verdict(
            Cause.NOTHING_LOADED,
            "No rows were read.",
            "Drop files into the landing folder, or see why they were quarantined: `ecom trace FILE`.",
        )
    return _refused(evidence) or _starved(evidence) or _largest(evidence)


def _refused(evidence: Evidence) -> Verdict | None:
    share = evidence.rows_rejected / evidence.rows_read
    if share < MANY_REJECTS:
        return None
    return Verdict(
        Cause.REJECTS,
        f"{share:.0%} of the rows were refused ({evidence.rows_rejected:,} of {evidence.rows_read:,}), "
        f"{_most(evidence)} {evidence.reason}.",
        "The files are what is wrong, not the speed: `ecom rejects list` shows an example of each reason for "
        "whoever writes them; `ecom rejects replay --fixed FILE` loads them once they are corrected.",
    )


def _most(evidence: Evidence) -> str:
    if evidence.reason_rows == evidence.rows_rejected:
        return "all of them as"
    if 2 * evidence.reason_rows > evidence.rows_rejected:
        return "most of them as"
    return f"{evidence.reason_rows:,} of them as"


def _starved(evidence: Evidence) -> Verdict | None:
    if evidence.memory_total_bytes:
        left = evidence.memory_available_bytes / evidence.memory_total_bytes
        if left < LITTLE_MEMORY:
            return Verdict(
                Cause.MEMORY,
                "The machine was short of memory: at the least "
                f"{evidence.memory_available_bytes / 2**20:,.0f} MiB, {left:.0%} of all, were left.",
                "Give the machine more memory, lower ECOM_SPARK_DRIVER_MEMORY, or run fewer tasks at once "
                "with ECOM_SPARK_MASTER=local[N].",
            )
    collected = (
        evidence.executor_gc_seconds / evidence.executor_task_seconds if evidence.executor_task_seconds else 0
    )
    if collected >= MUCH_COLLECTION:
        return Verdict(
            Cause.MEMORY,
            f"Spark's executors were short of memory: {collected:.0%} of their tasks' time, "
            f"{evidence.executor_gc_seconds:.1f} s, went into collecting garbage.",
            "Raise ECOM_SPARK_EXECUTOR_MEMORY, or ECOM_SPARK_DRIVER_MEMORY where tasks run in the driver.",
        )
    whole = evidence.sampled_seconds * evidence.cores
    busy = evidence.host_cpu_seconds / whole if whole else 0.0
    if busy >= BUSY_HOST and evidence.our_cpu_seconds < OURS * evidence.host_cpu_seconds:
        others = evidence.host_cpu_seconds - evidence.our_cpu_seconds
        return Verdict(
            Cause.PROCESSORS,
            f"The workers were short of processors: {evidence.cores} cores were {busy:.0%} busy, and other "
            f"programs had {others / evidence.host_cpu_seconds:.0%} of that.",
            "Load when less else runs, or on a machine of its own (ECOM_SPARK_MASTER).",
        )
    return None


def _largest(evidence: Evidence) -> Verdict:
    of = evidence.parts.get
    fixed = sum(of(part, 0.0) for part in (LISTING, PLANNING, TASKS, BOOKKEEPING))
    # Waiting that no lower trigger would shorten is not what held the run back.
    lower = evidence.advised_trigger < evidence.trigger_seconds
    rules = {
        _trigger: of(WAITING, 0.0) if lower else 0.0,
        _disk: of(COMMIT, 0.0),
        _postgres: of(COPY, 0.0),
        _decoding: of(DECODE, 0.0),
        _batches: fixed,
    }
    rule = max(rules, key=lambda rule: rules[rule])
    share = rules[rule] / evidence.seconds if evidence.seconds else 0.0
    return rule(evidence, rules[rule], share)


def _trigger(evidence: Evidence, seconds: float, share: float) -> Verdict:
    work = (evidence.seconds - seconds) / evidence.batches
    return Verdict(
        Cause.TRIGGER,
        f"Micro-batches waited for their trigger {share:.0%} of the time, {seconds:.1f} s; each had "
        f"{work:.1f} s of work.",
        f"Lower ECOM_TRIGGER_SECONDS from {evidence.trigger_seconds:g} to about "
        f"{evidence.advised_trigger:.1f}: a shorter wait is a shorter latency and costs nothing until "
        "batches follow one another.",
    )


def _disk(evidence: Evidence, seconds: float, share: float) -> Verdict:
    each = seconds / evidence.batches
    return Verdict(
        Cause.DISK,
        f"The disk is the slow side: COMMIT, which waits until the log is on it, took {share:.0%} of the "
        f"time, {each:.2f} s a micro-batch.",
        "Put PostgreSQL's data or its log on a faster disk, or commit less often: more files a micro-batch "
        "(ECOM_BATCH_FILES), larger files.",
    )


def _postgres(evidence: Evidence, seconds: float, share: float) -> Verdict:
    cpu = evidence.postgres_cpu_seconds
    sentence = (
        f"PostgreSQL is the slower side: copying took {share:.0%} of the time, {seconds:.1f} s, decoding "
        f"{evidence.parts.get(DECODE, 0.0):.1f} s"
    )
    pages = evidence.full_pages * PAGE_BYTES
    if pages >= MANY_WHOLE_PAGES * evidence.wal_bytes > 0 and evidence.checkpoints:
        many = "s" * (evidence.checkpoints > 1)
        return Verdict(
            Cause.POSTGRES,
            f"{sentence}; after {evidence.checkpoints:,.0f} checkpoint{many} "
            f"{evidence.full_pages:,.0f} pages went whole into a log of "
            f"{evidence.wal_bytes / 2**20:,.0f} MiB.",
            "Raise PostgreSQL's max_wal_size, so that it makes fewer checkpoints, and its wal_buffers.",
        )
    if cpu is None:
        return Verdict(
            Cause.POSTGRES,
            f"{sentence}; its processors cannot be seen from here.",
            "Look at its processors and disk during a load, at locks in pg_stat_activity, and at indexes or "
            "triggers added to the feeds' tables.",
        )
    if cpu < 0.5 * seconds:
        return Verdict(
            Cause.POSTGRES,
            f"{sentence}; it used {cpu:.1f} s of processor time, so it waited for something.",
            "Look for locks in pg_stat_activity, for a slow disk, for triggers added to the feeds' tables.",
        )
    return Verdict(
        Cause.POSTGRES,
        f"{sentence}; it used {cpu:.1f} s of processor time, so it was at work.",
        "Faster cores for PostgreSQL, more shared_buffers if the primary key no longer fits, and no "
        "indexes on the feeds' tables that nobody uses.",
    )


def _decoding(evidence: Evidence, seconds: float, share: float) -> Verdict:
    tasks = f"{evidence.slots} task{'s' * (evidence.slots > 1)} at once"
    return Verdict(
        Cause.DECODING,
        f"The workers are the slower side: decoding took {share:.0%} of the time, {seconds:.1f} s with "
        f"{tasks}, copying {evidence.parts.get(COPY, 0.0):.1f} s.",
        "More cores or executors (ECOM_SPARK_MASTER), and files that every core gets a share of: several of "
        "8 MiB and more rather than one large one.",
    )


def _batches(evidence: Evidence, seconds: float, share: float) -> Verdict:
    rows = evidence.rows_read // evidence.batches
    if evidence.batches >= MANY_BATCHES:
        return Verdict(
            Cause.MANY_BATCHES,
            f"Micro-batches cost more than their rows: {share:.0%} of the time, {seconds:.1f} s, went into "
            f"starting {evidence.batches} of them with {rows:,} rows each.",
            "Let a micro-batch take more: raise ECOM_BATCH_FILES, or unset it for the fastest.",
        )
    return Verdict(
        Cause.START,
        f"{evidence.rows_read:,} rows are too few to keep the machine busy: {share:.0%} of the time, "
        f"{seconds:.1f} s, went into starting tasks.",
        "Nothing to be done at this size; more rows at once cost little more.",
    )
