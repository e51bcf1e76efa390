"""Fault injection: break an ingest at a random moment, run it to its end, compare every row.

    python -m ecom_platform_tests.torture --rounds 50 --seed 7 --events 300000

Each round has a database, a landing zone and dirty files of its own. `ecom ingest` runs as people
run it, in a process of its own with a real Spark; one fault strikes at a moment between its claim of
the files and its end; then `ecom ingest` runs again, and the reference says what must be in the
tables. The first difference ends the program, with the evidence kept.

The seed fixes the files, the faults and the moments they are meant for; what a fault meets at that
moment is the machine's affair, so a fault that came too late is counted apart.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import gc
import hashlib
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg
from psycopg.conninfo import conninfo_to_dict

from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.server import EmbeddedServer
from ecom_platform.settings import load_settings
from ecom_platform.store import ledger
from ecom_platform.store.connection import Database
from ecom_platform.store.outcome import feed_of
from ecom_platform.store.schema import migrate
from ecom_platform_tests.dirt import write_dirty_files
from ecom_platform_tests.reference import Comparison, compare
from ecom_platform_tests.torture_feeds import FEEDS, compare_feed, write_declarations, write_files

FILES = 30
# A file of no feed beside them, which waits whatever happens.
NOBODYS = "nobodys.csv"
# Files of each feed beside the events, and rows of each of them for every row of these.
FEED_FILES = 6
FEED_SHARE = 6
# Within this after the claim faults strike, with a few files; a longer run measures it.
WINDOW_SECONDS = 2.5
# Files a micro-batch: all in one, or so few that faults also fall between two commits.
BATCH_FILES = ("", "", "4")
PATIENCE_SECONDS = 300
# A killed driver's JVM and workers end by themselves, soon.
ORPHAN_SECONDS = 30
# What `ecom ingest` may end with: all well, a check failed or the stream stopped, prerequisite, locked.
EXIT_CODES = (0, 1, 3, 4)
# The request EXT4_IOC_SHUTDOWN (ioctl of ext4, xfs and f2fs), and "drop what is not in the journal yet".
EXT4_SHUTDOWN = 0x8004587D
WITHOUT_THE_JOURNAL = 2
DISK_BYTES = 4 * 1024**3


class DifferenceError(Exception):
    """Something is not as the reference says."""


@dataclass
class Ingest:
    """One `ecom ingest`, in a process of its own."""

    process: subprocess.Popen[bytes]
    output: Path
    killed: bool = False

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def family(self, part: str) -> list[psutil.Process]:
        """Its descendants whose command line has ``part`` in it, oldest first."""
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.process.pid).children(recursive=True)
            return sorted((child for child in children if part in _command(child)), key=lambda c: c.pid)
        return []

    def wait(self) -> None:
        """Returns when it has ended. One that says how far it is does not hang, however slow its disk is."""
        said = -1
        while self.running:
            if said == (said := self.output.with_suffix(".err").stat().st_size):
                self.process.kill()
                raise DifferenceError(f"an ingest hangs; its output is {self.output}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(PATIENCE_SECONDS)

    def ending(self) -> str:
        """How it ended, in a word; raises :class:`DifferenceError` if no program may end like that."""
        code, text = self.process.returncode, self.output.read_text()
        if self.killed and code == -signal.SIGKILL:
            return "killed"
        try:
            summary = json.loads(text)
            word = "ok" if summary["success"] else summary.get("error", {}).get("code", "check failed")
        except (ValueError, KeyError):
            raise DifferenceError(f"an ingest ended with {code} and printed {text!r}") from None
        if code not in EXIT_CODES or (code == 0) != (word == "ok"):
            raise DifferenceError(f"an ingest ended with {code} and printed {text!r}")
        return f"exit {code}, {word}"


@dataclass
class Round:
    """One database, one home, one set of files."""

    home: Path
    database: Database
    server: EmbeddedServer
    rng: random.Random
    # Where the programs' output is kept: what breaks the home does not break that.
    outputs: Path
    batch_files: str = ""
    dropped: int = 0
    # What is known of files by their bytes: how many lines are malformed, by reason.
    malformed: dict[str, Counter[str]] = field(default_factory=dict)
    ingests: list[Ingest] = field(default_factory=list)

    @property
    def database_name(self) -> str:
        return self.outputs.name

    def named(self, name: str) -> Database:
        return _named(self.server, name)

    @property
    def zone(self) -> LandingZone:
        told = {"ECOM_HOME": str(self.home), "ECOM_FEEDS_DIR": str(self.feeds)}
        return LandingZone.of(load_settings(told))

    @property
    def feeds(self) -> Path:
        """Where the declarations are."""
        return self.outputs / "feeds"

    def drop_files(self, seed: int, events: int) -> None:
        write_declarations(self.feeds)
        self.zone.prepare()
        files = write_dirty_files(self.zone.landing, seed, events, max(events // FILES, 10))
        first = next(iter(files))
        shutil.copy(first, self.zone.landing / f"again-{first.name}")
        others = write_files(self.zone.landing, seed, events // FEED_SHARE, FEED_FILES)
        self.malformed = {_sha256(path): counts for path, counts in {**files, **others}.items()}
        for name in FEEDS:
            first = next(path for path in others if path.parent.name == name)
            # At the top its header says whose it is.
            shutil.copy(first, self.zone.landing / f"again-{first.name}")
        (self.zone.landing / NOBODYS).write_bytes(b"no,header\n1,2\n")
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
        }
        output = self.outputs / f"{command}-{len(self.ingests) + 1}.json"
        with output.open("wb") as out, output.with_suffix(".err").open("wb") as err:
            arguments = [sys.executable, "-m", "ecom_platform", command, "--json"]
            process = subprocess.Popen(arguments, env=environment, cwd=self.outputs, stdout=out, stderr=err)
        self.ingests.append(Ingest(process, output))
        return self.ingests[-1]

    def wait_until_claimed(self, ingest: Ingest) -> None:
        """Until the ledger has files, or the ingest is over."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while ingest.running and time.monotonic() < deadline:
            with self.database.open() as connection:
                if connection.execute("SELECT count(*) FROM ingested_files").fetchone() != (0,):
                    return
            time.sleep(0.05)

    def survivors(self) -> list[psutil.Process]:
        """Processes of this round that still run: those that were told its home."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error):
            return process.environ().get("ECOM_HOME") == str(self.home)
        return False


def _named(server: EmbeddedServer, name: str) -> Database:
    return Database(f"postgresql://ecom@/{name}?host={conninfo_to_dict(server.url)['host']}")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _command(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        return " ".join(process.cmdline())
    return ""


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def end_backends(connection: psycopg.Connection[tuple[object, ...]], name: str) -> None:
    connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])


# -- the faults: each says whether there was anything to break ------------------------------------


def kill_driver(round_: Round, ingest: Ingest) -> bool:
    ingest.killed = ingest.running
    ingest.process.kill()
    return ingest.killed


def kill_jvm(round_: Round, ingest: Ingest) -> bool:
    machines = ingest.family("SparkSubmit")
    _kill(machines)
    return bool(machines)


def kill_worker(round_: Round, ingest: Ingest) -> bool:
    """One of those that the daemon has forked; it is waited for."""
    while ingest.running:
        processes = ingest.family("streaming.daemon")
        daemons = {process.pid for process in processes}
        with contextlib.suppress(psutil.NoSuchProcess):
            workers = [process for process in processes if process.ppid() in daemons]
            if workers:
                _kill([round_.rng.choice(workers)])
                return True
        time.sleep(0.02)
    return False


def crash_postgres(round_: Round, ingest: Ingest) -> bool:
    """``pg_ctl stop -m immediate``, then start again: crash recovery."""
    running = ingest.running
    pid = round_.server.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGQUIT)
    while psutil.pid_exists(pid):
        time.sleep(0.02)
    time.sleep(round_.rng.uniform(0, 2))
    round_.server.acquire()
    return running


def delete_scratch(round_: Round, ingest: Ingest) -> bool:
    there = any((round_.home / "checkpoints").glob("*/*")) or any(round_.zone.units.iterdir())
    shutil.rmtree(round_.home / "checkpoints", ignore_errors=True)
    shutil.rmtree(round_.zone.units, ignore_errors=True)
    return there


def drop_again(round_: Round, ingest: Ingest) -> bool:
    """Loaded files (or, before any is, claimed ones) once more, under other names."""
    running = ingest.running
    known = sorted(round_.zone.archive.rglob("*.csv")) or sorted(round_.zone.claimed.rglob("*.csv"))
    for number, path in enumerate(round_.rng.sample(known, min(5, len(known)))):
        folder = _folder_of(round_, int(path.name.partition("-")[0]))
        hidden = folder / f".{number}.tmp"
        with contextlib.suppress(FileNotFoundError):
            shutil.copy(path, hidden)
            hidden.rename(folder / f"redropped-{number}-{path.name}")
            round_.dropped += 1
    return running


def _folder_of(round_: Round, file_id: int) -> Path:
    """The folder that the file landed in."""
    with round_.database.open() as connection:
        name = ledger.states(connection, [file_id])[file_id].name
    return (round_.zone.landing / name).parent


def second_ingest(round_: Round, ingest: Ingest) -> bool:
    running = ingest.running
    round_.start()
    return running


def fill_disk(round_: Round, ingest: Ingest) -> bool:
    """Not a byte is left where the checkpoint is: a small tmpfs, mounted by :func:`small_disk`."""
    running = ingest.running
    with contextlib.suppress(OSError), (round_.home / "checkpoints" / "ballast").open("wb") as file:
        while True:
            file.write(bytes(4_096))
            file.flush()
    return running


def fail_over(round_: Round, ingest: Ingest) -> bool:
    """To the state of :func:`state_before`, from before the claim; everybody is disconnected."""
    running = ingest.running
    name, before = round_.database_name, f"{round_.database_name}_before"
    with round_.named("postgres").open(autocommit=True) as connection:
        for target, now in ((name, f"{name}_lost"), (before, name)):
            connection.execute(f"ALTER DATABASE {target} WITH ALLOW_CONNECTIONS false")
            while True:
                end_backends(connection, target)
                with contextlib.suppress(psycopg.errors.ObjectInUse):
                    connection.execute(f"ALTER DATABASE {target} RENAME TO {now}")
                    break
        connection.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
        connection.execute(f"DROP DATABASE {name}_lost")
    return running


@contextlib.contextmanager
def state_before(round_: Round) -> Iterator[None]:
    """A copy of the round's database as it is now; whatever it was for, at the end it is gone."""
    name = round_.database_name
    with round_.named("postgres").open(autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}_before TEMPLATE {name}")
        yield
        connection.execute(f"DROP DATABASE IF EXISTS {name}_before")


def take_landing_away(round_: Round, ingest: Ingest) -> bool:
    """As a network mount that is gone: an empty folder is in its place for a moment."""
    running = ingest.running
    landing = round_.zone.landing
    away = landing.with_name("landing-away")
    landing.rename(away)
    landing.mkdir()
    time.sleep(round_.rng.uniform(0, 3))
    # What a program has made there would be hidden by the mount: it must not have made anything.
    landing.rmdir()
    away.rename(landing)
    return running


def lose_power(round_: Round, ingest: Ingest) -> bool:
    """The file system stops on the spot, unwritten bytes are gone, and so is every process on it.

    Ext4 is told to shut down without writing its journal, as the tests of file systems do it; mounted
    again it recovers what had been made durable.
    """
    disk = next(folder for folder in round_.home.parents if folder.is_mount())
    descriptor = os.open(disk, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, EXT4_SHUTDOWN, struct.pack("I", WITHOUT_THE_JOURNAL))
    finally:
        os.close(descriptor)
    running = ingest.killed = ingest.running
    image = disk.with_suffix(".img")
    with contextlib.suppress(Exception):
        round_.server.release()  # what this process has open there
    deadline = time.monotonic() + ORPHAN_SECONDS
    while subprocess.run(["umount", disk], stderr=subprocess.DEVNULL, check=False).returncode:
        assert time.monotonic() < deadline, f"{disk} is in use"
        _kill([process for process in psutil.process_iter() if _is_on(process, disk)])
        time.sleep(0.05)
    subprocess.run(["mount", "-o", "loop", image, disk], check=True)
    round_.server.acquire()
    return running


def _is_on(process: psutil.Process, folder: Path) -> bool:
    with contextlib.suppress(psutil.Error):
        told = [process.environ().get("ECOM_HOME", ""), process.cwd(), *process.cmdline()]
        return any(str(folder) in text for text in told)
    return False


@contextlib.contextmanager
def own_disk(disk: Path) -> Iterator[None]:
    """An ext4 of its own at ``disk``, in a file beside it."""
    disk.mkdir()
    image = disk.with_suffix(".img")
    with image.open("wb") as file:
        file.truncate(DISK_BYTES)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, disk], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
    image.unlink()  # where something was different, it stays as the evidence
    disk.rmdir()


FAULTS: dict[str, Callable[[Round, Ingest], bool]] = {
    "SIGKILL the driver": kill_driver,
    "SIGKILL the JVM": kill_jvm,
    "SIGKILL a Python worker": kill_worker,
    "PostgreSQL stopped at once and started": crash_postgres,
    "checkpoint and unit files deleted": delete_scratch,
    "loaded files dropped again": drop_again,
    "a second ingest beside the first": second_ingest,
    "disk full under the checkpoint": fill_disk,
    "PostgreSQL fails over to a state from before the claim": fail_over,
    "the landing folder away and back": take_landing_away,
    "power lost": lose_power,
}


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def usable_faults(folder: Path) -> list[str]:
    """Every fault; the full disk only where one may be mounted."""
    names = list(FAULTS)
    for fault, disk, what in ((fill_disk, small_disk, "a tmpfs"), (lose_power, own_disk, "an ext4")):
        try:
            with disk(folder / f"try-{fault.__name__}"):
                pass
        except (OSError, subprocess.CalledProcessError):
            names = [name for name in names if FAULTS[name] is not fault]
            print(f"skipped: {fault.__name__}; {what} of its own cannot be mounted here", flush=True)
    return names


# -- a round -------------------------------------------------------------------------------------


def strike(round_: Round, fault: str, window: float) -> bool:
    """Start an ingest, break something, wait for whatever runs to end; whether the fault hit anything."""
    around: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
    if FAULTS[fault] is fill_disk:
        around = small_disk(round_.home / "checkpoints")
    elif FAULTS[fault] is fail_over:
        around = state_before(round_)
    moment = round_.rng.uniform(0, window)
    with around:
        ingest = round_.start()
        round_.wait_until_claimed(ingest)
        time.sleep(moment)
        hit = FAULTS[fault](round_, ingest)
        for running in list(round_.ingests):
            running.wait()
    if FAULTS[fault] is fail_over:
        _follow_restore(round_, ingest)
    return hit


def _follow_restore(round_: Round, ingest: Ingest) -> None:
    """What went back has to be told, by whoever was at work or comes next; then the runbook's command."""
    if _loaded(round_) != round_.dropped:
        if ingest.ending() == "exit 0, ok":
            raise DifferenceError(
                f"the ledger has {_loaded(round_)} loaded files of {round_.dropped}; all is said to be well"
            )
        told = round_.start()
        told.wait()
        loaded = _loaded(round_)
        if loaded != round_.dropped and told.ending() == "exit 0, ok":
            raise DifferenceError(f"after a restore: {loaded} of {round_.dropped} files, and nobody says so")
    round_.start("reconcile").wait()


def _loaded(round_: Round) -> int:
    with round_.database.open() as connection:
        (count,) = connection.execute(
            "SELECT count(*) FROM ingested_files WHERE state = 'loaded'"
        ).fetchone() or (0,)
    return int(count)


def finish(round_: Round) -> Comparison:
    """Run the ingest to its end, undisturbed, and hold everything against the reference.

    Orphans of a killed driver may still run beside it: that must not matter.
    """
    last = round_.start()
    last.wait()
    if last.ending() != "exit 0, ok":
        raise DifferenceError(f"the last ingest: {last.ending()}: {last.output.read_text()}")
    with round_.database.open() as connection:
        ids = [row[0] for row in connection.execute("SELECT file_id FROM ingested_files").fetchall()]
        states = ledger.states(connection, ids)
    paths: dict[str, dict[int, Path]] = {}
    for file_id, state in states.items():
        paths.setdefault(feed_of(state.name), {})[file_id] = round_.zone.path_of(state)
    comparison = compare(round_.database, paths.pop("user_events"))
    for name, feed in FEEDS.items():
        comparison.add(compare_feed(round_.database, feed, paths.pop(name)))
    comparison.differences += [f"files of a feed {name}" for name in paths]
    comparison.differences += [
        *_left_behind(round_, states),
        *_not_as_made(round_, states),
        *_still_running(round_),
    ]
    return comparison


def _left_behind(round_: Round, states: dict[int, ledger.FileState]) -> list[str]:
    found = []
    if len(states) != round_.dropped or {state.state for state in states.values()} != {ledger.LOADED}:
        found.append(f"{round_.dropped} files were dropped, the ledger has {len(states)}")
    for folder in (round_.zone.landing, round_.zone.claimed, round_.zone.units):
        rest = [path for path in folder.rglob("*") if path.is_file() and not _hidden(path, folder)]
        names = [str(path.relative_to(folder)) for path in rest]
        found += [f"{name} is left in {folder.name}" for name in names if name != NOBODYS]
    if not (round_.zone.landing / NOBODYS).is_file():
        found.append(f"{NOBODYS}, which is of no feed, does not wait any more")
    return found


def _hidden(path: Path, folder: Path) -> bool:
    """Of ours, or of whoever has not finished it."""
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _not_as_made(round_: Round, states: dict[int, ledger.FileState]) -> list[str]:
    """Files whose malformed rows are not those that were put in, whatever the reference read."""
    rejects: dict[int, Counter[str]] = {file_id: Counter() for file_id in states}
    with round_.database.open() as connection:
        for file_id, reason, rows in connection.execute(
            "SELECT file_id, reason, count(*) FROM rejected_events"
            " WHERE reason <> 'id_conflict' GROUP BY file_id, reason"
        ):
            rejects[file_id][reason] = rows
    return [
        f"file {file_id}: {rejects[file_id]} were refused, {round_.malformed.get(state.sha256 or '')} put in"
        for file_id, state in states.items()
        if rejects[file_id] != round_.malformed.get(state.sha256 or "")
    ]


def _still_running(round_: Round) -> list[str]:
    _, alive = psutil.wait_procs(round_.survivors(), ORPHAN_SECONDS)
    found = [f"process {process.pid} still runs: {_command(process)[:200]}" for process in alive]
    _kill(alive)
    return found


class Torture:
    """Rounds on one server."""

    def __init__(self, folder: Path, seed: int, events: int) -> None:
        self.folder, self.seed, self.events = folder, seed, events
        self.window = WINDOW_SECONDS
        self.rows = self.lost = self.doubled = 0
        self.faults: Counter[str] = Counter()
        self.late: Counter[str] = Counter()
        self.endings: Counter[str] = Counter()
        (folder / "dagster").mkdir(parents=True)
        self.server = EmbeddedServer(folder / "postgres")

    @contextlib.contextmanager
    def _round(self, number: int, fault: str | None = None) -> Iterator[Round]:
        """A round with its files dropped; removed at the end, unless something was different."""
        with contextlib.ExitStack() as stack:
            outputs = self.folder / f"round_{number}"
            outputs.mkdir()
            home, server = outputs / "home", self.server
            if fault is not None and FAULTS[fault] is lose_power:
                disk = self.folder / f"disk_{number}"
                stack.enter_context(own_disk(disk))
                home, server = disk / "home", EmbeddedServer(disk / "postgres")
                stack.callback(server.stop)
                stack.enter_context(server)
            home.mkdir()
            rng = random.Random(f"{self.seed}-{number}")
            round_ = Round(home, _named(server, outputs.name), server, rng, outputs, rng.choice(BATCH_FILES))
            with round_.named("postgres").open(autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {outputs.name}")
            migrate(round_.database)
            round_.drop_files(self.seed * 10_000 + number, self.events)
            os.sync()  # the producer's files are not what may be lost
            yield round_
            with round_.named("postgres").open(autocommit=True) as connection:
                connection.execute(f"DROP DATABASE {outputs.name} WITH (FORCE)")
        shutil.rmtree(outputs)

    def control(self) -> None:
        """A round that nothing breaks: from its claim to its last commit faults strike in the others."""
        with self._round(0) as round_:
            round_.start().wait()
            with round_.database.open() as connection:
                row = connection.execute(
                    "SELECT extract(epoch FROM max(finished_at) - min(claimed_at))::float FROM ingested_files"
                ).fetchone()
            assert row is not None and row[0] is not None, "the undisturbed ingest loaded nothing"
            self.window = row[0]
            self._count(finish(round_))

    def round(self, number: int, fault: str) -> bool:
        """One round: whether the fault hit; raises :class:`DifferenceError` at the first difference."""
        with self._round(number, fault) as round_:
            hit = strike(round_, fault, self.window)
            endings = [ingest.ending() for ingest in round_.ingests]
            self._count(finish(round_))
            (self.faults if hit else self.late)[fault] += 1
            self.endings.update(endings)
        return hit

    def _count(self, comparison: Comparison) -> None:
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
    print(f"seed {options.seed}, {options.rounds} rounds of {options.events:,} events", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="ecom-torture-"))
    torture = Torture(folder, options.seed, options.events)
    try:
        with torture.server:
            run(torture, options.rounds)
    except DifferenceError as error:
        print(f"DIFFERENT\n{error}\nThe evidence is in {folder}.")
        report(torture)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the rounds that were compared:")
        shutil.rmtree(folder, ignore_errors=True)
        report(torture)
        return 130
    shutil.rmtree(folder)
    report(torture)
    return 0


def run(torture: Torture, rounds: int) -> None:
    """Every kind of fault in turn, so that a short run has them all, then in a random order."""
    faults = usable_faults(torture.folder)
    order = random.Random(torture.seed)
    # Of large objects that all stay alive, the comparison makes millions; none is part of a cycle.
    gc.disable()
    torture.control()
    print(f"round 0: nothing broken; {torture.window:.1f} s from claim to last commit", flush=True)
    for number in range(1, rounds + 1):
        fault = faults[(number - 1) % len(faults)] if number <= len(faults) else order.choice(faults)
        print(f"round {number}: {fault}: ", end="", flush=True)
        started = time.monotonic()
        hit = torture.round(number, fault)
        word = "as it must be" if hit else "as it must be (the fault came too late)"
        print(f"{word}, {time.monotonic() - started:.0f} s", flush=True)
        gc.collect()


def report(torture: Torture) -> None:
    """The totals."""
    print(f"{torture.faults.total() + torture.late.total()} rounds, {torture.rows:,} rows compared")
    for fault in sorted(torture.faults | torture.late):
        late = f" ({torture.late[fault]} more came too late)" if torture.late[fault] else ""
        print(f"  {torture.faults[fault]:4d}  {fault}{late}")
    for ending, count in sorted(torture.endings.items()):
        print(f"  {count:4d}  disturbed ingests ended: {ending}")
    print(f"{torture.lost} rows lost, {torture.doubled} rows doubled", flush=True)


if __name__ == "__main__":
    sys.exit(main())
