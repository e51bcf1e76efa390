"""CPU and memory of the processes that take part in an ingest, while it lasts.

Belongs here: finding these processes on this host, reading their counters in a thread, and the figures
of it. Does not belong here: storing or showing the figures. Workers on other hosts are not seen from here;
what they say of themselves is in ``stream_batches``. How much memory there is at all is ``memory``'s.

The sampler keeps itself cheap: it pauses at least 250 times as long as a look took of its own processor
time, so it costs 0.4% and its first and last look, however slow the machine; and its series never outgrows
:data:`MAX_POINTS`, since it drops every second point and looks half as often when they are reached.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psutil

from ecom_platform import memory
from ecom_platform.store.metrics import Metric

DRIVER, JVM, WORKERS, POSTGRES = "driver", "JVM", "Python workers", "PostgreSQL"
PARTS = (DRIVER, JVM, WORKERS, POSTGRES)

INTERVAL_SECONDS = 0.2
MAX_POINTS = 240
_COST_FACTOR = 250
# Looking for new processes reads all of /proc: at first, when they start, then now and again.
_EAGER_LOOKS = 3
_DISCOVER_EVERY = 10


@dataclass(frozen=True, slots=True)
class Point:
    """One look: seconds since the start; by part, processor seconds since the start and bytes of memory."""

    seconds: float
    cpu_seconds: dict[str, float]
    memory_bytes: dict[str, int]


@dataclass(slots=True)
class Usage:
    """What the looks saw. ``cost_seconds`` is the sampler's own processor time; ``host_cpu_seconds`` that
    of every process of the host, ours included. Peaks are of every look, whichever points are kept; that of
    the total is of one moment, so it is no more than the sum of the others."""

    started_at: datetime
    points: list[Point] = field(default_factory=list)
    peak_bytes: dict[str, int] = field(default_factory=dict)
    peak_total_bytes: int = 0
    cost_seconds: float = 0.0
    host_cpu_seconds: float = 0.0
    cores: int = 1
    memory_total_bytes: int = 0
    memory_available_bytes: int = 0

    def add(self, point: Point) -> None:
        """One more look."""
        self.points.append(point)
        for part, held in point.memory_bytes.items():
            self.peak_bytes[part] = max(self.peak_bytes.get(part, 0), held)
        self.peak_total_bytes = max(self.peak_total_bytes, sum(point.memory_bytes.values()))

    @property
    def seconds(self) -> float:
        return self.points[-1].seconds if self.points else 0.0

    def cpu_seconds(self, part: str) -> float:
        return self.points[-1].cpu_seconds.get(part, 0.0) if self.points else 0.0

    def metrics(self) -> list[Metric]:
        """The usage as rows of ``performance_metrics``."""
        figures = [
            Metric("sampled_seconds", self.seconds, "s"),
            Metric("sampler_cpu_seconds", self.cost_seconds, "s"),
            Metric("host_cpu_seconds", self.host_cpu_seconds, "s"),
            Metric("cores", self.cores, "cores"),
            Metric("memory_total_bytes", self.memory_total_bytes, "bytes"),
            Metric("memory_available_bytes", self.memory_available_bytes, "bytes"),
            Metric("cpu_seconds", sum(self.cpu_seconds(part) for part in PARTS), "s"),
            Metric("memory_peak_bytes", self.peak_total_bytes, "bytes"),
        ]
        for part in PARTS:
            if part in self.peak_bytes:
                figures.append(Metric("cpu_seconds", self.cpu_seconds(part), "s", part))
                figures.append(Metric("memory_peak_bytes", self.peak_bytes[part], "bytes", part))
        return figures + self._series()

    def _series(self) -> list[Metric]:
        series = []
        for before, point in zip(self.points, self.points[1:], strict=False):
            moment = self.started_at + timedelta(seconds=point.seconds)
            for part in point.memory_bytes:
                used = point.cpu_seconds.get(part, 0.0) - before.cpu_seconds.get(part, 0.0)
                cores = max(used, 0.0) / (point.seconds - before.seconds)
                series.append(Metric("cpu_cores", cores, "cores", part, moment))
                series.append(Metric("memory_bytes", point.memory_bytes[part], "bytes", part, moment))
        return series


@contextmanager
def sampling(postmaster: int | None = None, interval: float = INTERVAL_SECONDS) -> Iterator[Usage]:
    """Look at this process, its descendants and those of ``postmaster`` until the block ends.

    The yielded usage is complete after the block.
    """
    watch = _Watch(postmaster)
    stop = threading.Event()
    thread = threading.Thread(target=watch.run, args=(stop, interval), name="sampler", daemon=True)
    thread.start()
    try:
        yield watch.usage
    finally:
        stop.set()
        thread.join()


class _Watch:
    """What the thread knows: the processes, and the processor time each had at its first look.

    The time of a process that ends is not lost: its parent, which waited for it, counts it from then on.
    """

    def __init__(self, postmaster: int | None) -> None:
        cost = time.thread_time()
        self._postmaster = postmaster
        self._parts: dict[psutil.Process, str] = {}
        self._base: dict[psutil.Process, float] = {}
        self._started = time.perf_counter()
        self.usage = Usage(
            datetime.now(UTC),
            cores=psutil.cpu_count() or 1,
            memory_total_bytes=memory.total_bytes(),
            memory_available_bytes=_available_bytes(),
        )
        self._host_base = _host_cpu_seconds()
        # Processes that are there now have used processor time before; later ones start from zero.
        self._discover()
        for process in self._parts:
            with suppress(psutil.Error):
                self._base[process] = _cpu_seconds(process)
        self._look()
        self.usage.cost_seconds = time.thread_time() - cost

    def run(self, stop: threading.Event, interval: float) -> None:
        looks = 1
        ended = False
        while not ended:
            ended = stop.wait(max(interval, self.usage.cost_seconds / looks * _COST_FACTOR))
            cost = time.thread_time()
            # Not at the end: what has only now begun has taken no time, and it is most of a look's cost.
            if not ended and (looks <= _EAGER_LOOKS or looks % _DISCOVER_EVERY == 0):
                self._discover()
            self._look()
            looks += 1
            if len(self.usage.points) > MAX_POINTS:
                del self.usage.points[1:-1:2]
                interval *= 2
            self.usage.cost_seconds += time.thread_time() - cost

    def _discover(self) -> None:
        for process, part in _found(self._postmaster):
            self._parts.setdefault(process, part)

    def _look(self) -> None:
        used: dict[str, float] = {}
        private: dict[str, int] = {}
        shared: dict[str, int] = {}
        for process, part in list(self._parts.items()):
            try:
                with process.oneshot():
                    seconds, held = _cpu_seconds(process), process.memory_info()
            except psutil.Error:
                del self._parts[process]  # it ended
                continue
            used[part] = used.get(part, 0.0) + seconds - self._base.get(process, 0.0)
            # Pages that the processes of a part share (PostgreSQL's buffers, a forked Python) count once.
            together = getattr(held, "shared", 0)
            private[part] = private.get(part, 0) + held.rss - together
            shared[part] = max(shared.get(part, 0), together)
        memory_bytes = {part: private[part] + shared[part] for part in PARTS if part in private}
        self.usage.add(Point(time.perf_counter() - self._started, used, memory_bytes))
        self.usage.host_cpu_seconds = _host_cpu_seconds() - self._host_base
        self.usage.memory_available_bytes = min(self.usage.memory_available_bytes, _available_bytes())


def _found(postmaster: int | None) -> Iterator[tuple[psutil.Process, str]]:
    """The processes that take part, each with its part."""
    me = psutil.Process()
    yield me, DRIVER
    for process in _descendants(me):
        part = _part_of_child(process)
        if part is not None:
            yield process, part
    if postmaster is not None:
        with suppress(psutil.NoSuchProcess):
            server = psutil.Process(postmaster)
            yield server, POSTGRES
            yield from ((backend, POSTGRES) for backend in _descendants(server))


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _part_of_child(process: psutil.Process) -> str | None:
    """A JVM, or a Python below one."""
    try:
        if process.name().startswith("java"):
            return JVM
        return WORKERS if any(parent.name().startswith("java") for parent in process.parents()) else None
    except psutil.Error:
        return None


def _cpu_seconds(process: psutil.Process) -> float:
    """Of the process, and of its children that have ended and were waited for."""
    times = process.cpu_times()
    ended = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return float(times.user + times.system + ended)


def _available_bytes() -> int:
    return memory.available_bytes(psutil.virtual_memory().available)


def _host_cpu_seconds() -> float:
    times = psutil.cpu_times()
    # A guest's time is in its host's user time already; waiting for a disk is no use of a processor.
    idle = ("idle", "iowait", "guest", "guest_nice", "steal")
    return float(sum(times) - sum(getattr(times, name, 0.0) for name in idle))
