"""One round: its files, its programs, and everything compared at the end.

Belongs here: what a round has, and when it is as it must be. Does not belong here: where its files land
(``landings``), what breaks it (``faults``), or which rounds there are (``campaign``).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from ecom_platform.server import EmbeddedServer
from ecom_platform.store import ledger
from ecom_platform.store.connection import Database
from ecom_platform.store.outcome import feed_of
from ecom_platform_tests.dirt import write_dirty_files
from ecom_platform_tests.reference import Comparison, compare
from ecom_platform_tests.torture.feeds import FEEDS, compare_feed, write_declarations, write_files
from ecom_platform_tests.torture.ingests import (
    PATIENCE_SECONDS,
    DifferenceError,
    Ingest,
    command_of,
    kill,
)
from ecom_platform_tests.torture.landings import NOBODYS, Landing

FILES = 30
# Files of each feed beside the events, and rows of each of them for every row of these.
FEED_FILES = 6
FEED_SHARE = 6
# A killed driver's JVM and workers end by themselves, soon.
ORPHAN_SECONDS = 30


@dataclass
class Round:
    """One database, one home, one set of files."""

    home: Path
    database: Database
    server: EmbeddedServer
    rng: random.Random
    # Where the programs' output is kept: what breaks the home does not break that.
    outputs: Path
    batch_files: str
    landing: Landing
    dropped: int = 0
    # What is known of files by their bytes: how many lines are malformed, by reason.
    malformed: dict[str, Counter[str]] = field(default_factory=dict)
    ingests: list[Ingest] = field(default_factory=list)

    @property
    def feeds(self) -> Path:
        """Where the declarations are."""
        return self.outputs / "feeds"

    def drop_files(self, seed: int, events: int) -> None:
        write_declarations(self.feeds)
        with self.landing.producing() as folder:
            files = write_dirty_files(folder, seed, events, max(events // FILES, 10))
            first = next(iter(files))
            shutil.copy(first, folder / f"again-{first.name}")
            others = write_files(folder, seed, events // FEED_SHARE, FEED_FILES)
            self.malformed = {_sha256(path): counts for path, counts in {**files, **others}.items()}
            for name in FEEDS:
                first = next(path for path in others if path.parent.name == name)
                # At the top its header says whose it is.
                shutil.copy(first, folder / f"again-{first.name}")
            (folder / NOBODYS).write_bytes(b"no,header\n1,2\n")
        self.dropped = len(files) + 1 + len(others) + len(FEEDS)

    def start(self, command: str = "ingest") -> Ingest:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ECOM_")}
        environment |= {
            "ECOM_HOME": str(self.home),
            "ECOM_FEEDS_DIR": str(self.feeds),
            "ECOM_POSTGRES_URL": self.database.url,
            "ECOM_SETTLE_SECONDS": "0",
            "ECOM_BATCH_FILES": self.batch_files,
            "DAGSTER_HOME": str(self.outputs.parent / "dagster"),
            **self.landing.environment,
        }
        output = self.outputs / f"{command}-{len(self.ingests) + 1}.json"
        with output.open("wb") as out, output.with_suffix(".err").open("wb") as err:
            arguments = [sys.executable, "-m", "ecom_platform", command, "--json"]
            process = subprocess.Popen(arguments, env=environment, cwd=self.outputs, stdout=out, stderr=err)
        self.ingests.append(Ingest(process, output))
        return self.ingests[-1]

    def wait_until(self, condition: Callable[[], bool], ingest: Ingest) -> None:
        """Until it holds, or the ingest is over."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while ingest.running and time.monotonic() < deadline and not condition():
            time.sleep(0.05)

    def is_claimed(self) -> bool:
        """Whether the ledger has files."""
        return self._count("") > 0

    def is_finished(self) -> bool:
        """Whether all that was claimed is loaded and put away."""
        return self._count("WHERE state = 'claimed'") == 0 and self.landing.is_put_away()

    def loaded(self) -> int:
        """How many files are."""
        return self._count("WHERE state = 'loaded'")

    def _count(self, where: str) -> int:
        with self.database.open() as connection:
            query = f"SELECT count(*) FROM ingested_files {where}"
            (count,) = connection.execute(query.encode()).fetchone() or (0,)
        return int(count)

    def finish(self) -> Comparison:
        """Run the ingest to its end, undisturbed, and hold everything against the reference.

        Orphans of a killed driver may still run beside it: that must not matter.
        """
        last = self.start()
        last.wait()
        if last.ending() != "exit 0, ok":
            raise DifferenceError(f"the last ingest: {last.ending()}: {last.output.read_text()}")
        with self.database.open() as connection:
            ids = [row[0] for row in connection.execute("SELECT file_id FROM ingested_files").fetchall()]
            states = ledger.states(connection, ids)
        if len(states) != self.dropped or {state.state for state in states.values()} != {ledger.LOADED}:
            names = Counter((state.name, state.state) for state in states.values())
            raise DifferenceError(f"{self.dropped} files were dropped, the ledger has {len(states)}: {names}")
        differences = [*self.landing.differences(states), *self._not_as_made(states), *self._still_running()]
        if differences:
            raise DifferenceError("\n".join(differences))
        paths: dict[str, dict[int, Path]] = {}
        for file_id, path in self.landing.contents(states).items():
            paths.setdefault(feed_of(states[file_id].name), {})[file_id] = path
        comparison = compare(self.database, paths.pop("user_events"))
        for name, feed in FEEDS.items():
            comparison.add(compare_feed(self.database, feed, paths.pop(name)))
        comparison.differences += [f"files of a feed {name}" for name in paths]
        return comparison

    def _not_as_made(self, states: dict[int, ledger.FileState]) -> list[str]:
        """Files whose malformed rows are not those that were put in, whatever the reference read."""
        rejects: dict[int, Counter[str]] = {file_id: Counter() for file_id in states}
        with self.database.open() as connection:
            for file_id, reason, rows in connection.execute(
                "SELECT file_id, reason, count(*) FROM rejected_events"
                " WHERE reason <> 'id_conflict' GROUP BY file_id, reason"
            ):
                rejects[file_id][reason] = rows
        put_in = {file_id: self.malformed.get(state.sha256 or "") for file_id, state in states.items()}
        return [
            f"file {file_id}: {found} were refused, {put_in[file_id]} put in"
            for file_id, found in rejects.items()
            if found != put_in[file_id]
        ]

    def _still_running(self) -> list[str]:
        """Processes of this round that still run: those that were told its home."""
        survivors = [process for process in psutil.process_iter() if self._is_ours(process)]
        _, alive = psutil.wait_procs(survivors, ORPHAN_SECONDS)
        found = [f"process {process.pid} still runs: {command_of(process)[:200]}" for process in alive]
        kill(alive)
        return found

    def _is_ours(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error):
            return process.environ().get("ECOM_HOME") == str(self.home)
        return False


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
