"""What may break an ingest: each fault says whether there was anything to break.

Belongs here: the faults of programs, of the database and its disks, of a landing folder, and of a store with
the way to it. Does not belong here: what must hold afterwards (``rounds``).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from ecom_platform_tests.s3_server import DROPPED, Fault, FirstAnswers
from ecom_platform_tests.torture.databases import go_back
from ecom_platform_tests.torture.disks import mount_again, own_disk, small_disk, stop_at_once
from ecom_platform_tests.torture.ingests import Ingest, kill
from ecom_platform_tests.torture.landings import InBucket, InFolder
from ecom_platform_tests.torture.rounds import Round
from ecom_platform_tests.torture.store import Store

FOLDER, BUCKET = "folder", "bucket"


def kill_driver(round_: Round, ingest: Ingest) -> bool:
    ingest.killed = ingest.running
    ingest.process.kill()
    return ingest.killed


def kill_jvm(round_: Round, ingest: Ingest) -> bool:
    machines = ingest.family("SparkSubmit")
    kill(machines)
    return bool(machines)


def kill_worker(round_: Round, ingest: Ingest) -> bool:
    """One of those that the daemon has forked; it is waited for."""
    while ingest.running:
        processes = ingest.family("streaming.daemon")
        daemons = {process.pid for process in processes}
        with contextlib.suppress(psutil.NoSuchProcess):
            workers = [process for process in processes if process.ppid() in daemons]
            if workers:
                kill([round_.rng.choice(workers)])
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
    checkpoints, units = round_.home / "checkpoints", round_.landing.units
    there = any(checkpoints.glob("*/*")) or any(units.glob("*"))
    shutil.rmtree(checkpoints, ignore_errors=True)
    shutil.rmtree(units, ignore_errors=True)
    return there


def drop_again(round_: Round, ingest: Ingest) -> bool:
    """Loaded files (or, before any is, claimed ones) once more, under other names."""
    running = ingest.running
    known = round_.landing.ours()
    for number, name in enumerate(round_.rng.sample(known, min(5, len(known)))):
        round_.dropped += round_.landing.drop_again(name, number)
    return running


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
    """To the state from before the claim."""
    running = ingest.running
    go_back(round_.server, round_.outputs.name)
    return running


def lose_power(round_: Round, ingest: Ingest) -> bool:
    """Of the disk that home and database are on; every process there ends."""
    disk = next(folder for folder in round_.home.parents if folder.is_mount())
    stop_at_once(disk)
    running = ingest.killed = ingest.running
    with contextlib.suppress(Exception):
        round_.server.release()  # what this process has open there
    mount_again(disk)
    round_.server.acquire()
    return running


# -- of a landing folder -----------------------------------------------------------------------------


def take_landing_away(round_: Round, ingest: Ingest) -> bool:
    """As a network mount that is gone: an empty folder is in its place for a moment."""
    running = ingest.running
    assert isinstance(round_.landing, InFolder)
    landing = round_.landing.zone.landing
    away = landing.with_name("landing-away")
    landing.rename(away)
    landing.mkdir()
    time.sleep(round_.rng.uniform(0, 3))
    # What a program has made there would be hidden by the mount: it must not have made anything.
    landing.rmdir()
    away.rename(landing)
    return running


# -- of a store --------------------------------------------------------------------------------------


def kill_store(round_: Round, ingest: Ingest) -> bool:
    """SIGKILL, then start again."""
    running = ingest.running
    server = _store(round_).server
    server.kill()
    time.sleep(round_.rng.uniform(0, 3))
    server.start()
    return running


def overload_store(round_: Round, ingest: Ingest) -> bool:
    return _answers_for_a_while(round_, ingest, (503, "SlowDown"))


def expire_credentials(round_: Round, ingest: Ingest) -> bool:
    return _answers_for_a_while(round_, ingest, (400, "ExpiredToken"))


def _answers_for_a_while(round_: Round, ingest: Ingest, answer: Fault) -> bool:
    """From the first request on."""
    with _store(round_).spoiled(lambda request: answer) as met:
        round_.wait_until(lambda: bool(met), ingest)
        _wait(ingest, round_.rng.uniform(0, 8))
    return bool(met)


def lose_answers(round_: Round, ingest: Ingest) -> bool:
    """The first of each object, after the store has done as it was asked."""
    methods = round_.rng.choice([("PUT",), ("DELETE",), ("GET", "HEAD"), ("PUT", "DELETE", "GET", "HEAD")])
    with _store(round_).spoiled(FirstAnswers(methods, lambda: DROPPED)) as met:
        ingest.wait()
    return bool(met)


def lose_answers_and_driver(round_: Round, ingest: Ingest) -> bool:
    """Whoever was not answered never finds out: the next ingest has to."""
    lost = FirstAnswers(("PUT", "DELETE"), lambda: DROPPED)
    wanted = round_.rng.randrange(1, 40)
    with _store(round_).spoiled(lost) as met:
        round_.wait_until(lambda: len(met) >= wanted, ingest)
        kill_driver(round_, ingest)
        ingest.wait()
    return ingest.killed and bool(met)


def cut_answers(round_: Round, ingest: Ingest) -> bool:
    """The first of each object, somewhere in its body."""
    cuts = FirstAnswers(("GET", "PUT"), lambda: int(10 ** round_.rng.uniform(0, 5)))
    with _store(round_).spoiled(cuts) as met:
        ingest.wait()
    return bool(met)


def _store(round_: Round) -> Store:
    assert isinstance(round_.landing, InBucket)
    return round_.landing.store


def _wait(ingest: Ingest, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while ingest.running and time.monotonic() < deadline:
        time.sleep(0.02)


FaultOf = Callable[[Round, Ingest], bool]
_ANYWHERE: dict[str, FaultOf] = {
    "SIGKILL the driver": kill_driver,
    "SIGKILL the JVM": kill_jvm,
    "SIGKILL a Python worker": kill_worker,
    "PostgreSQL stopped at once and started": crash_postgres,
    "checkpoint and unit files deleted": delete_scratch,
    "loaded files dropped again": drop_again,
    "a second ingest beside the first": second_ingest,
    "disk full under the checkpoint": fill_disk,
    "PostgreSQL fails over to a state from before the claim": fail_over,
}
_OF_A_STORE: dict[str, FaultOf] = {
    "SIGKILL the store, and start it": kill_store,
    "the store answers 503 for a while": overload_store,
    "credentials expire for a while": expire_credentials,
    "the store's answers are lost": lose_answers,
    "the store's answers are lost, then SIGKILL the driver": lose_answers_and_driver,
    "the store's answers are cut off": cut_answers,
}
_POWER: dict[str, FaultOf] = {"power lost": lose_power}
# By where files land.
FAULTS: dict[str, dict[str, FaultOf]] = {
    FOLDER: {**_ANYWHERE, "the landing folder away and back": take_landing_away, **_POWER},
    BUCKET: {**_ANYWHERE, **_POWER, **_OF_A_STORE},
}


def usable_faults(folder: Path, landing: str) -> list[str]:
    """Every fault; the full disk and the loss of power only where a disk may be mounted."""
    found = dict(FAULTS[landing])
    for fault, disk, what in ((fill_disk, small_disk, "a tmpfs"), (lose_power, own_disk, "an ext4")):
        try:
            with disk(folder / f"try-{fault.__name__}"):
                pass
        except (OSError, subprocess.CalledProcessError):
            found = {name: one for name, one in found.items() if one is not fault}
            print(f"skipped: {fault.__name__}; {what} of its own cannot be mounted here", flush=True)
    return list(found)
