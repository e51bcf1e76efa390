"""Fault injection: break an ingest at a random moment, run it to its end, compare every row.

    python -m ecom_platform_tests.torture --rounds 50 --seed 7 --events 300000

Each round has a database, a landing zone and dirty files of its own. `ecom ingest` runs as people
run it, in a process of its own with a real Spark; one fault strikes after it has claimed files; then
`ecom ingest` runs again, and the reference says what must be in the tables. The first difference
ends the program, with the evidence kept.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from psycopg.conninfo import conninfo_to_dict

from ecom_platform.landing.zone import LandingZone
from ecom_platform.postgres import ledger
from ecom_platform.postgres.connection import Database
from ecom_platform.postgres.embedded import EmbeddedServer
from ecom_platform.postgres.schema import migrate
from ecom_platform.settings import load_settings
from ecom_platform_tests.dirt import write_dirty_files
from ecom_platform_tests.reference import Comparison, compare

FILES = 30
# From the moment files are claimed until their rows are committed takes a few seconds.
WINDOW_SECONDS = 3.0
PATIENCE_SECONDS = 300


class DifferenceError(Exception):
    """Something is not as the reference says."""


@dataclass
class Round:
    """One database, one home, one set of files."""

    home: Path
    database: Database
    server: EmbeddedServer
    rng: random.Random
    dropped: int = 0
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def zone(self) -> LandingZone:
        return LandingZone.of(load_settings({"ECOM_HOME": str(self.home)}))

    def drop_files(self, seed: int, events: int) -> None:
        self.zone.prepare()
        paths = write_dirty_files(self.zone.landing, seed, events, max(events // FILES, 10))
        shutil.copy(paths[0], self.zone.landing / f"again-{paths[0].name}")
        self.dropped = len(paths) + 1

    def start(self) -> subprocess.Popen[bytes]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ECOM_")}
        environment |= {
            "ECOM_HOME": str(self.home),
            "ECOM_POSTGRES_URL": self.database.url,
            "ECOM_SETTLE_SECONDS": "0",
            "DAGSTER_HOME": str(self.home.parent / "dagster"),
        }
        with (self.home / "ingest.out").open("wb") as out, (self.home / "ingest.err").open("ab") as err:
            command = [sys.executable, "-m", "ecom_platform", "ingest", "--json"]
            process = subprocess.Popen(command, env=environment, cwd=self.home, stdout=out, stderr=err)
        self.processes.append(process)
        return process

    def wait_until_claimed(self, process: subprocess.Popen[bytes]) -> None:
        """Until the ledger has files, or the ingest is over."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            with self.database.open() as connection:
                if connection.execute("SELECT count(*) FROM ingested_files").fetchone() != (0,):
                    return
            time.sleep(0.05)

    def family(self, process: subprocess.Popen[bytes], part: str) -> list[psutil.Process]:
        """Descendants of an ingest whose command line has ``part`` in it."""
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(process.pid).children(recursive=True)
            return [child for child in children if part in _command(child)]
        return []


def _command(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        return " ".join(process.cmdline())
    return ""


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


# -- the faults ----------------------------------------------------------------------------------


def kill_driver(round_: Round, process: subprocess.Popen[bytes]) -> None:
    process.kill()


def kill_jvm(round_: Round, process: subprocess.Popen[bytes]) -> None:
    _kill(round_.family(process, "SparkSubmit"))


def kill_worker(round_: Round, process: subprocess.Popen[bytes]) -> None:
    workers = round_.family(process, "streaming.daemon")
    _kill(workers[-1:])


def crash_postgres(round_: Round, process: subprocess.Popen[bytes]) -> None:
    """``pg_ctl stop -m immediate``, then start again: crash recovery."""
    pid = round_.server.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGQUIT)
    while psutil.pid_exists(pid):
        time.sleep(0.02)
    time.sleep(round_.rng.uniform(0, 2))
    round_.server.acquire()


def delete_scratch(round_: Round, process: subprocess.Popen[bytes]) -> None:
    shutil.rmtree(round_.home / "checkpoints", ignore_errors=True)
    shutil.rmtree(round_.zone.units, ignore_errors=True)


def drop_again(round_: Round, process: subprocess.Popen[bytes]) -> None:
    """Loaded files (or, before any is, landed ones) once more, under other names."""
    known = [*round_.zone.archive.rglob("*.csv"), *round_.zone.claimed.glob("*.csv")]
    for number, path in enumerate(round_.rng.sample(known, min(3, len(known)))):
        hidden = round_.zone.landing / f".{number}.tmp"
        with contextlib.suppress(FileNotFoundError):
            shutil.copy(path, hidden)
            hidden.rename(round_.zone.landing / f"redropped-{number}-{path.name}")
            round_.dropped += 1


def second_ingest(round_: Round, process: subprocess.Popen[bytes]) -> None:
    round_.start()


def fill_disk(round_: Round, process: subprocess.Popen[bytes]) -> None:
    """Not a byte is left where the checkpoint is: a small tmpfs, mounted by :func:`small_disk`."""
    with contextlib.suppress(OSError), (round_.home / "checkpoints" / "ballast").open("wb") as file:
        while True:
            file.write(bytes(65_536))
            file.flush()


FAULTS: dict[str, Callable[[Round, subprocess.Popen[bytes]], None]] = {
    "SIGKILL the driver": kill_driver,
    "SIGKILL the JVM": kill_jvm,
    "SIGKILL a Python worker": kill_worker,
    "PostgreSQL stopped at once and started": crash_postgres,
    "checkpoint and unit files deleted": delete_scratch,
    "loaded files dropped again": drop_again,
    "a second ingest beside the first": second_ingest,
    "disk full under the checkpoint": fill_disk,
}


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def usable_faults() -> list[str]:
    """Every fault; the full disk only for root, who may mount one."""
    return [name for name, fault in FAULTS.items() if fault is not fill_disk or os.geteuid() == 0]


# -- a round -------------------------------------------------------------------------------------


def strike(round_: Round, fault: str) -> None:
    """Start an ingest, break something, and wait for whatever runs to end."""
    disk = small_disk(round_.home / "checkpoints") if FAULTS[fault] is fill_disk else contextlib.nullcontext()
    with disk:
        process = round_.start()
        round_.wait_until_claimed(process)
        time.sleep(round_.rng.uniform(0, WINDOW_SECONDS))
        FAULTS[fault](round_, process)
        for running in round_.processes:
            _wait(running)


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise DifferenceError("an ingest hangs") from None


def finish(round_: Round) -> Comparison:
    """Run the ingest to its end, undisturbed, and hold everything against the reference."""
    # Orphans of a killed driver end by themselves; the next run must not depend on when.
    _wait(round_.start())
    output = (round_.home / "ingest.out").read_text()
    if round_.processes[-1].returncode != 0:
        raise DifferenceError(f"the last ingest ended with {round_.processes[-1].returncode}: {output}")
    with round_.database.open() as connection:
        ids = [row[0] for row in connection.execute("SELECT file_id FROM ingested_files").fetchall()]
        states = ledger.states(connection, ids)
    comparison = compare(round_.database, {key: round_.zone.path_of(state) for key, state in states.items()})
    comparison.differences += _left_behind(round_, states, json.loads(output))
    return comparison


def _left_behind(round_: Round, states: dict[int, ledger.FileState], summary: dict[str, object]) -> list[str]:
    found = []
    if len(states) != round_.dropped or {state.state for state in states.values()} != {ledger.LOADED}:
        found.append(f"{round_.dropped} files were dropped, the ledger has {len(states)}")
    for folder in (round_.zone.landing, round_.zone.claimed, round_.zone.units):
        rest = [path.name for path in folder.iterdir() if not path.name.startswith(".")]
        found += [f"{name} is left in {folder.name}" for name in rest]
    if summary["success"] is not True:
        found.append(f"the last ingest says {summary}")
    return found


class Torture:
    """Rounds on one server."""

    def __init__(self, folder: Path, seed: int, events: int) -> None:
        self.folder, self.seed, self.events = folder, seed, events
        self.rows = self.lost = self.doubled = 0
        self.faults: Counter[str] = Counter()
        (folder / "dagster").mkdir(parents=True)
        self.server = EmbeddedServer(folder / "postgres")

    def _database(self, name: str) -> Database:
        return Database(f"postgresql://ecom@/{name}?host={conninfo_to_dict(self.server.url)['host']}")

    def round(self, number: int, fault: str) -> None:
        """One round; raises :class:`DifferenceError` at the first difference."""
        name = f"round_{number}"
        with self._database("postgres").open(autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        home = self.folder / name
        home.mkdir()
        round_ = Round(home, self._database(name), self.server, random.Random(f"{self.seed}-{number}"))
        migrate(round_.database)
        round_.drop_files(self.seed * 10_000 + number, self.events)
        strike(round_, fault)
        comparison = finish(round_)
        self._count(fault, comparison)
        with self._database("postgres").open(autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        shutil.rmtree(home)

    def _count(self, fault: str, comparison: Comparison) -> None:
        self.faults[fault] += 1
        self.rows += comparison.rows
        self.lost += comparison.lost
        self.doubled += comparison.doubled
        if comparison.lost or comparison.doubled or comparison.differences:
            raise DifferenceError("\n".join(comparison.differences[:20]) or "rows lost or doubled")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("ROUNDS", "50")))
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--events", type=int, default=300_000)
    options = parser.parse_args()
    faults = usable_faults()
    print(f"seed {options.seed}, {options.rounds} rounds of {options.events:,} events", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="ecom-torture-"))
    torture = Torture(folder, options.seed, options.events)
    order = random.Random(options.seed)
    with torture.server:
        for number in range(1, options.rounds + 1):
            # Every kind in turn, so that a short run has them all, but in an order of its own.
            fault = faults[(number - 1) % len(faults)] if number <= len(faults) else order.choice(faults)
            started = time.monotonic()
            try:
                torture.round(number, fault)
            except DifferenceError as error:
                print(
                    f"round {number}, {fault}: DIFFERENT\n{error}\nThe evidence is in {folder}.", flush=True
                )
                return 1
            print(f"round {number}: {fault}: as it must be ({time.monotonic() - started:.0f} s)", flush=True)
    shutil.rmtree(folder)
    report(torture)
    return 0


def report(torture: Torture) -> None:
    """The totals."""
    print(f"{sum(torture.faults.values())} rounds, {torture.rows:,} rows compared")
    for fault, count in sorted(torture.faults.items()):
        print(f"  {count:4d}  {fault}")
    print(f"{torture.lost} rows lost, {torture.doubled} rows doubled", flush=True)


if __name__ == "__main__":
    sys.exit(main())
