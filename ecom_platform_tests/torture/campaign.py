"""The rounds, one after the other, and their totals.

Belongs here: what rounds share (servers, seed, window), which fault is whose, and what is said at the end.
Does not belong here: what happens in a round (``rounds``, ``faults``).
"""

from __future__ import annotations

import contextlib
import gc
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from ecom_platform.server import EmbeddedServer
from ecom_platform.store.connection import Database
from ecom_platform.store.schema import migrate
from ecom_platform.variable_reader import LEAVE, MOVE, TAG
from ecom_platform_tests.reference import Comparison
from ecom_platform_tests.torture.databases import named, state_before
from ecom_platform_tests.torture.disks import own_disk, small_disk
from ecom_platform_tests.torture.faults import (
    BUCKET,
    FAULTS,
    FOLDER,
    fail_over,
    fill_disk,
    lose_power,
    usable_faults,
)
from ecom_platform_tests.torture.ingests import DifferenceError, Ingest
from ecom_platform_tests.torture.landings import InBucket, InFolder, Landing
from ecom_platform_tests.torture.rounds import Round
from ecom_platform_tests.torture.store import Store, running_store

# Within this after the claim faults strike, with a few files; a longer run measures it.
WINDOW_SECONDS = 2.5
# Files a micro-batch: all in one, or so few that faults also fall between two commits.
BATCH_FILES = ("", "", "4")
# What becomes of loaded objects.
DONE = (MOVE, MOVE, LEAVE, TAG)


class Torture:
    """Rounds on one server, and one store where files land in a bucket; both run while it is entered."""

    def __init__(self, folder: Path, seed: int, events: int, landing: str = FOLDER) -> None:
        self.folder, self.seed, self.events, self.landing = folder, seed, events, landing
        self.window = WINDOW_SECONDS
        self.rows = self.lost = self.doubled = 0
        self.faults: Counter[str] = Counter()
        self.late: Counter[str] = Counter()
        self.endings: Counter[str] = Counter()
        (folder / "dagster").mkdir(parents=True)
        self.server = EmbeddedServer(folder / "postgres")
        self._store: Store | None = None
        self._running = contextlib.ExitStack()

    def __enter__(self) -> Torture:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.server)
            if self.landing == BUCKET:
                self._store = stack.enter_context(running_store(self.folder / "store"))
            self._running = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._running.__exit__(kind, error, traceback)

    @contextlib.contextmanager
    def _round(self, number: int, fault: str | None = None) -> Iterator[Round]:
        """A round with its files dropped; removed at the end, unless something was different."""
        with contextlib.ExitStack() as stack:
            outputs = self.folder / f"round_{number}"
            outputs.mkdir()
            home, server = outputs / "home", self.server
            if fault is not None and FAULTS[self.landing][fault] is lose_power:
                disk = self.folder / f"disk_{number}"
                stack.enter_context(own_disk(disk))
                home, server = disk / "home", EmbeddedServer(disk / "postgres")
                stack.callback(server.stop)
                stack.enter_context(server)
            home.mkdir()
            rng = random.Random(f"{self.seed}-{number}")
            batch_files = rng.choice(BATCH_FILES)
            database = named(server, outputs.name)
            landing = self._landing(rng, database, home, outputs)
            round_ = Round(home, database, server, rng, outputs, batch_files, landing)
            with named(server, "postgres").open(autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {outputs.name}")
            migrate(database)
            round_.drop_files(self.seed * 10_000 + number, self.events)
            os.sync()  # the producer's files are not what may be lost
            yield round_
            with named(server, "postgres").open(autocommit=True) as connection:
                connection.execute(f"DROP DATABASE {outputs.name} WITH (FORCE)")
            round_.landing.remove()
        shutil.rmtree(outputs)

    def _landing(self, rng: random.Random, database: Database, home: Path, outputs: Path) -> Landing:
        if self._store is None:
            return InFolder(database, home)
        return InBucket(database, self._store, f"{outputs.name}/", rng.choice(DONE), home, outputs / "loaded")

    def control(self) -> None:
        """A round that nothing breaks: from its claim until all is put away faults strike in the others."""
        with self._round(0) as round_:
            ingest = round_.start()
            round_.wait_until(round_.is_claimed, ingest)
            begun = time.monotonic()
            round_.wait_until(round_.is_finished, ingest)
            self.window = time.monotonic() - begun
            ingest.wait()
            if round_.loaded() != round_.dropped:
                raise DifferenceError(f"undisturbed, an ingest ended with: {ingest.output.read_text()}")
            self._count(round_.finish())

    def round(self, number: int, fault: str) -> bool:
        """One round: whether the fault hit; raises :class:`DifferenceError` at the first difference."""
        with self._round(number, fault) as round_:
            hit = self._strike(round_, fault)
            endings = [ingest.ending() for ingest in round_.ingests]
            self._count(round_.finish())
            (self.faults if hit else self.late)[fault] += 1
            self.endings.update(endings)
        return hit

    def _strike(self, round_: Round, name: str) -> bool:
        """Start an ingest, break something, wait for whatever runs to end; whether the fault hit anything."""
        fault = FAULTS[self.landing][name]
        around: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
        if fault is fill_disk:
            around = small_disk(round_.home / "checkpoints")
        elif fault is fail_over:
            around = state_before(round_.server, round_.outputs.name)
        moment = round_.rng.uniform(0, self.window)
        with around:
            ingest = round_.start()
            round_.wait_until(round_.is_claimed, ingest)
            time.sleep(moment)
            hit = fault(round_, ingest)
            for running in list(round_.ingests):
                running.wait()
        if fault is fail_over:
            _follow_restore(round_, ingest)
        return hit

    def _count(self, comparison: Comparison) -> None:
        self.rows += comparison.rows
        self.lost += comparison.lost
        self.doubled += comparison.doubled
        if comparison.lost or comparison.doubled or comparison.differences:
            raise DifferenceError("\n".join(comparison.differences[:20]) or "rows lost or doubled")

    def run(self, rounds: int) -> None:
        """Every kind of fault in turn, so that a short run has them all, then in a random order."""
        faults = usable_faults(self.folder, self.landing)
        order = random.Random(self.seed)
        # Of large objects that all stay alive, the comparison makes millions; none is part of a cycle.
        gc.disable()
        self.control()
        print(f"round 0: nothing broken; {self.window:.1f} s from claim to the last put away", flush=True)
        for number in range(1, rounds + 1):
            fault = faults[(number - 1) % len(faults)] if number <= len(faults) else order.choice(faults)
            print(f"round {number}: {fault}: ", end="", flush=True)
            started = time.monotonic()
            hit = self.round(number, fault)
            word = "as it must be" if hit else "as it must be (the fault came too late)"
            print(f"{word}, {time.monotonic() - started:.0f} s", flush=True)
            gc.collect()

    def report(self) -> None:
        """The totals."""
        print(f"{self.faults.total() + self.late.total()} rounds, {self.rows:,} rows compared")
        for fault in sorted(self.faults | self.late):
            late = f" ({self.late[fault]} more came too late)" if self.late[fault] else ""
            print(f"  {self.faults[fault]:4d}  {fault}{late}")
        for ending, count in sorted(self.endings.items()):
            print(f"  {count:4d}  disturbed ingests ended: {ending}")
        print(f"{self.lost} rows lost, {self.doubled} rows doubled", flush=True)


def _follow_restore(round_: Round, ingest: Ingest) -> None:
    """What went back has to be told, by whoever was at work or comes next; then the runbook's command."""
    loaded = round_.loaded()
    if loaded != round_.dropped:
        if ingest.ending() == "exit 0, ok":
            raise DifferenceError(
                f"the ledger has {loaded} loaded files of {round_.dropped}; all is said to be well"
            )
        told = round_.start()
        told.wait()
        loaded = round_.loaded()
        if loaded != round_.dropped and told.ending() == "exit 0, ok":
            raise DifferenceError(f"after a restore: {loaded} of {round_.dropped} files, and nobody says so")
    round_.start("reconcile").wait()
