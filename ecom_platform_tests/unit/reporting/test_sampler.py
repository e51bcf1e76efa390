"""What the sampler says of processes, beside what the kernel says of them at their end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

import psutil
import pytest

from ecom_platform import memory
from ecom_platform.reporting.sampler import (
    DRIVER,
    JVM,
    MAX_POINTS,
    PARTS,
    POSTGRES,
    WORKERS,
    Point,
    Usage,
    _Watch,
    sampling,
)
from ecom_platform.server import EmbeddedServer
from ecom_platform.store.spare_connections import close_spares
from ecom_platform_tests.conftest import _named
from ecom_platform_tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("starts_programs")

# A process that is called java, with a Python below it: both burn processor time, the Python holds memory,
# and both stay until their common input ends, so that a busy machine gets its look at them.
BURN = (
    "import sys, time\n"
    "end = time.process_time() + {seconds}\n"
    "while time.process_time() < end: pass\n"
    "sys.stdin.read()\n"
)
PARENT = (
    "import os, subprocess, sys\n"
    "from ctypes import CDLL\n"
    "CDLL(None).prctl(15, b'java', 0, 0, 0)\n"
    "child = subprocess.Popen([sys.executable, '-c', 'held = bytearray(80 * 2**20)\\n' + {burn!r}])\n"
    "exec({burn!r})\n"
    "child.wait()\n"
)


def used_by(processes: list[psutil.Process]) -> float:
    """Processor seconds of processes and of their children that have ended."""
    return sum(sum(process.cpu_times()[:4]) for process in processes)


def test_processor_time_is_what_the_kernel_says_at_the_end() -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("a process is given the name of another one, which only Linux does")
    script = PARENT.format(burn=BURN.format(seconds=0.8))

    def seen() -> list[Point]:
        return [
            point
            for point in list(usage.points)
            if all(point.cpu_seconds.get(part, 0.0) > 0 for part in (WORKERS, JVM))
            and point.memory_bytes[WORKERS] > 80 * 2**20
        ]

    # The JVM of other tests, and what is below it, may be there all along.
    others = psutil.Process().children(recursive=True)
    theirs = used_by(others)
    own = time.process_time()
    with sampling(interval=0.05) as usage:
        process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE)
        assert process.stdin is not None
        with process.stdin:
            wait_until(lambda: bool(seen()))
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = status
    theirs = used_by(others) - theirs
    assert status == 0
    kernel = used.ru_utime + used.ru_stime
    own = time.process_time() - own
    # The driver waited for it, so at its end its time is the driver's; nothing is counted twice.
    # But for a little: the counters of two processes are not read at one moment.
    assert sum(usage.cpu_seconds(part) for part in PARTS) == pytest.approx(
        usage.cpu_seconds(DRIVER) + theirs, abs=0.2
    )
    assert usage.cpu_seconds(DRIVER) == pytest.approx(kernel + own, abs=0.35)
    # What was seen before it ended: at most all of it.
    for part in (WORKERS, JVM):
        assert max(point.cpu_seconds[part] for point in seen()) <= kernel + theirs + 0.35


def test_postgres_counts_backends_that_have_ended(server: EmbeddedServer) -> None:
    postmaster = server.status().pid
    assert postmaster is not None

    def ended() -> float:
        """Of backends that the postmaster knows to have ended."""
        times = psutil.Process(postmaster).cpu_times()
        return float(times.children_user + times.children_system)

    before = ended()
    with sampling(postmaster, interval=0.05) as usage:
        for _ in range(3):
            with _named(server, "postgres").open() as connection:
                connection.execute("SELECT sum(sqrt(n)) FROM generate_series(1, 1000000) AS n")
            close_spares()
        wait_until(lambda: ended() - before > 0.1)
    times = psutil.Process(postmaster).cpu_times()
    assert (
        0.1
        < usage.cpu_seconds(POSTGRES)
        <= times.user + times.system + times.children_user + times.children_system + 1
    )
    assert usage.points[-1].memory_bytes[POSTGRES] > 0


class Paces(threading.Event):
    """Writes down each pause before a look, with what the looks before it cost, and ends after some."""

    def __init__(self, usage: Usage, looks: int) -> None:
        super().__init__()
        self.usage, self.looks = usage, looks
        self.pauses: list[tuple[float, float]] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.pauses.append((timeout, self.usage.cost_seconds))
        return len(self.pauses) > self.looks


def test_it_pauses_so_long_that_it_costs_less_than_a_hundredth_of_the_time() -> None:
    """By its own account of each look: how long a pause really takes is the machine's affair."""
    watch = _Watch(None)
    stop = Paces(watch.usage, looks=20)
    watch.run(stop, 0.2)
    costs = [cost for _, cost in stop.pauses]
    assert costs[0] > 0 and costs == sorted(set(costs)), "every look is counted"
    for looks, (pause, cost) in enumerate(stop.pauses, start=1):
        assert pause == pytest.approx(max(0.2, cost / looks * 250))
    assert len(watch.usage.points) == 22


def test_a_long_run_has_no_more_points_than_a_short_one() -> None:
    with sampling(interval=0.0) as usage:
        usage.points[1:] = [usage.points[0]] * MAX_POINTS
        wait_until(lambda: usage.points[-1] is not usage.points[0])  # it has looked again
    assert len(usage.points) <= MAX_POINTS + 2


def test_cores_in_use_between_two_looks() -> None:
    started = datetime(2026, 1, 1, tzinfo=UTC)
    usage = Usage(started)
    usage.add(Point(0.0, {JVM: 0.0}, {JVM: 5}))
    usage.add(Point(2.0, {JVM: 3.0}, {JVM: 7}))
    rows = {(row.name, row.part): row for row in usage.metrics() if row.part}
    assert rows["cpu_cores", JVM].value == 1.5
    assert rows["cpu_cores", JVM].measured_at == datetime(2026, 1, 1, 0, 0, 2, tzinfo=UTC)
    assert rows["memory_peak_bytes", JVM].value == 7
    assert rows["cpu_seconds", JVM].value == 3.0


def test_peaks_are_of_every_look_and_that_of_the_total_of_one_moment() -> None:
    usage = Usage(datetime(2026, 1, 1, tzinfo=UTC))
    for number, held in enumerate([{JVM: 5, WORKERS: 1}, {JVM: 9, WORKERS: 2}, {JVM: 4, WORKERS: 6}]):
        usage.add(Point(float(number), {}, held))
    del usage.points[1]  # as a long run does
    rows = {(row.name, row.part): row.value for row in usage.metrics() if row.name == "memory_peak_bytes"}
    assert rows == {
        ("memory_peak_bytes", ""): 11,
        ("memory_peak_bytes", JVM): 9,
        ("memory_peak_bytes", WORKERS): 6,
    }


def test_memory_is_that_of_the_container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "total_bytes", lambda: 2**30)
    monkeypatch.setattr(memory, "available_bytes", lambda machine: min(machine, 2**20))
    with sampling() as usage:
        pass
    found = {row.name: row.value for row in usage.metrics()}
    assert (found["memory_total_bytes"], found["memory_available_bytes"]) == (2**30, 2**20)


def test_a_postmaster_that_is_gone_is_no_failure() -> None:
    with sampling(2**22 - 1) as usage:
        pass
    assert POSTGRES not in usage.points[-1].memory_bytes
