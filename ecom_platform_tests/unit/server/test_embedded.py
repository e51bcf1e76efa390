"""The embedded server with real processes: sharing, killing, recovering, odd folders, odd users.

Every test ends with the check that no process of its server is left.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psutil
import psycopg
import pytest

from ecom_platform.errors import DatabaseError, PrerequisiteError, StorageError
from ecom_platform.server import EmbeddedServer, binary
from ecom_platform.server.account import closed_folder, setpriv
from ecom_platform_tests.waiting import wait_until, wait_until_it_has_looked

pytestmark = pytest.mark.usefixtures("starts_programs")

AS_ROOT = os.geteuid() == 0
SECONDS = 120

# A process that uses the server until it is told to go on.
USER = """
import subprocess, sys
from pathlib import Path
from ecom_platform.server import EmbeddedServer

server = EmbeddedServer(Path(sys.argv[1]))
server.acquire()
child = subprocess.Popen(["sleep", "60"], close_fds=False) if "with-child" in sys.argv else None
print(server.status().pid, child.pid if child else 0, flush=True)
sys.stdin.readline()
server.release()
"""

# A process that comes and goes, and asks the server something each time.
VISITOR = """
import sys
from pathlib import Path
import psycopg
from ecom_platform.server import EmbeddedServer

server = EmbeddedServer(Path(sys.argv[1]))
for _ in range(5):
    with server, psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
"""

# A process whose forked child lives on after it has released the server.
FORKER = """
import os, sys, time
from pathlib import Path
from ecom_platform.server import EmbeddedServer

server = EmbeddedServer(Path(sys.argv[1]))
server.acquire()
read, write = os.pipe()
if os.fork() == 0:
    server.release()
    os.write(write, b"released")
    sys.stdin.readline()
    os._exit(0)
os.read(read, 8)
print(server.status().pid, flush=True)
server.release()
print(server.status().pid, flush=True)
"""


class Process:
    """A Python program on a server's folder, talked to by lines."""

    def __init__(
        self, program: str, directory: Path, *arguments: str, prefix: Sequence[str] = (), quiet: bool = False
    ) -> None:
        self.popen = subprocess.Popen(
            [*prefix, sys.executable, "-c", program, str(directory), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if quiet else None,
            text=True,
            cwd="/",
            start_new_session=True,
        )

    def line(self) -> list[int]:
        return [int(word) for word in self.popen.stdout.readline().replace("None", "0").split()]

    def go_on(self) -> int:
        self.popen.communicate("\n", timeout=SECONDS)
        return self.popen.returncode

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.killpg(self.popen.pid, number) if number == signal.SIGINT else self.popen.send_signal(number)
        self.popen.wait(SECONDS)
        self.popen.stdin.close()
        self.popen.stdout.close()


def commands() -> Iterator[tuple[int, list[str]]]:
    """The command line of every process."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            yield process.pid, process.cmdline()


def keepers(directory: Path) -> list[int]:
    return [
        pid
        for pid, command in commands()
        if command[-1:] == [str(directory)] and any("import keep" in word for word in command)
    ]


def processes_of(directory: Path) -> list[int]:
    """The servers and keepers of a folder."""
    servers = [pid for pid, command in commands() if command[1:3] == ["-D", str(directory / "data")]]
    return servers + keepers(directory)


def wait_until_gone(directory: Path) -> None:
    wait_until(lambda: not processes_of(directory))


def ask(server: EmbeddedServer, query: str) -> object:
    with psycopg.connect(server.url) as connection:
        row = connection.execute(query).fetchone()
        return row and row[0]


def socket_folder(server: EmbeddedServer) -> Path:
    return Path(parse_qs(urlsplit(server.url).query)["host"][0])


@pytest.fixture(scope="session")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder to copy, which is quicker than making one for every test."""
    folder = tmp_path_factory.mktemp("initialised") / "pg"
    with EmbeddedServer(folder):
        pass
    return folder / "data"


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Path]:
    """A server's folder, not there yet; whatever the test does, nothing runs in it afterwards."""
    folder = tmp_path / "pg"
    yield folder
    EmbeddedServer(folder).stop()
    wait_until_gone(folder)


@pytest.fixture
def directory(bare: Path, initialised: Path) -> Path:
    """The same with a data folder in it."""
    bare.mkdir(mode=0o700)
    subprocess.run(["cp", "-a", str(initialised), str(bare)], check=True)
    return bare


@pytest.fixture
def server(directory: Path) -> EmbeddedServer:
    return EmbeddedServer(directory)


def running_pid(server: EmbeddedServer) -> int:
    pid = server.status().pid
    assert pid is not None
    return pid


# --- One user ---------------------------------------------------------------------------------------


def test_a_user_gets_a_database_and_the_last_one_stops_the_server(bare: Path) -> None:
    server = EmbeddedServer(bare)
    with server:
        assert ask(server, "SELECT current_user || '@' || current_database()") == "ecom@ecommerce"
        status = server.status()
        assert status.running and status.pid and not status.pinned
        assert status.version.startswith("18.")
        assert status.data_bytes > 10 * 1024**2
    assert not server.status().running


def test_the_settings_that_guard_data_and_door_hold(server: EmbeddedServer) -> None:
    expected = {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "data_checksums": "on",
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        "TimeZone": "UTC",
        "server_encoding": "UTF8",
        "checkpoint_timeout": "15min",
        "max_connections": "100",
    }
    with server, psycopg.connect(server.url) as connection:
        found = {name: connection.execute(f"SHOW {name}").fetchone()[0] for name in expected}
        ((wal,),) = connection.execute("SELECT pg_size_bytes(current_setting('max_wal_size'))").fetchall()
    assert found == expected
    assert 2**30 <= wal <= 2**33


def test_folders_are_closed_to_others(server: EmbeddedServer, directory: Path) -> None:
    with server:
        for folder in (directory, directory / "run", directory / "data"):
            assert folder.stat().st_mode & 0o777 == 0o700, folder
        for file in directory.glob("*.lock"):
            assert file.stat().st_mode & 0o777 == 0o600, file


def test_acquiring_again_does_nothing_and_one_release_is_enough(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.acquire()
    pid = running_pid(server)

    def unwanted(*arguments: object, **options: object) -> None:
        raise AssertionError(f"the server runs: {arguments}")

    with monkeypatch.context() as patch:
        for name in (
            "server.startup.start",
            "file_lock.FileLock.exclusive",
            "file_lock.FileLock.try_exclusive",
        ):
            patch.setattr(f"ecom_platform.{name}", unwanted)
        patch.setattr(subprocess, "Popen", unwanted)
        server.acquire()
    assert running_pid(server) == pid
    server.release()
    assert not server.status().running
    server.release()


def test_threads_may_acquire_at_once(server: EmbeddedServer) -> None:
    threads = [threading.Thread(target=server.acquire) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ask(server, "SELECT 1") == 1
    server.release()
    assert not server.status().running


def test_rows_survive_a_restart(server: EmbeddedServer) -> None:
    with server:
        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS n")
        assert server.stop()
        server.acquire()
        assert ask(server, "SELECT n FROM kept") == 42


def test_nothing_is_made_by_looking(bare: Path) -> None:
    server = EmbeddedServer(bare)
    assert not server.status().running
    assert not server.stop()
    server.release()
    assert not bare.exists()


# --- Several users ------------------------------------------------------------------------------------


def test_two_processes_share_one_server_which_stops_with_the_last(bare: Path) -> None:
    server = EmbeddedServer(bare)
    first, second = Process(USER, bare), Process(USER, bare)
    (one, _), (other, _) = first.line(), second.line()
    assert one == other == running_pid(server)
    assert first.go_on() == 0
    assert running_pid(server) == one
    assert second.go_on() == 0
    assert not server.status().running
    wait_until_gone(bare)


def test_visitors_that_come_and_go_always_find_a_server(directory: Path) -> None:
    visitors = [Process(VISITOR, directory) for _ in range(3)]
    assert [visitor.go_on() for visitor in visitors] == [0, 0, 0]
    wait_until_gone(directory)


def test_a_pinned_server_survives_its_last_user_until_stop(server: EmbeddedServer, directory: Path) -> None:
    server.pin()
    pid = running_pid(server)
    (keeper,) = keepers(directory)
    wait_until_it_has_looked(psutil.Process(keeper))
    assert running_pid(server) == pid and server.status().pinned
    assert EmbeddedServer(directory).stop()
    wait_until_gone(directory)
    assert not server.status().pinned


def test_a_pin_does_not_outlive_a_server_that_crashed(server: EmbeddedServer, directory: Path) -> None:
    server.pin()
    os.kill(running_pid(server), signal.SIGKILL)
    wait_until_gone(directory)
    with server:
        assert not server.status().pinned
    assert not server.status().running


def test_stop_asks_nobody_and_users_can_come_back(server: EmbeddedServer, directory: Path) -> None:
    user = Process(USER, directory)
    user.line()
    assert server.stop()
    wait_until_gone(directory)
    with server:
        assert ask(server, "SELECT 1") == 1
    assert user.go_on() == 0
    wait_until_gone(directory)


def test_a_child_forked_by_a_user_is_not_a_user(directory: Path) -> None:
    forker = Process(FORKER, directory)
    assert forker.line() != [0]
    assert forker.line() == [0]
    assert forker.go_on() == 0


# --- Killing ------------------------------------------------------------------------------------------


def test_a_server_whose_only_user_was_killed_ends_with_its_keeper(directory: Path) -> None:
    user = Process(USER, directory, "with-child")
    _, child = user.line()
    user.kill()
    try:
        assert psutil.pid_exists(child)  # as a JVM would: it must not have inherited the lock
        wait_until_gone(directory)
    finally:
        os.kill(child, signal.SIGKILL)


def test_ctrl_c_reaches_neither_server_nor_keeper(server: EmbeddedServer, directory: Path) -> None:
    user = Process(USER, directory, quiet=True)
    pid, _ = user.line()
    server.acquire()
    lasting = {pid, *keepers(directory)}  # backends and PostgreSQL's own workers come and go
    user.kill(signal.SIGINT)
    (keeper,) = keepers(directory)
    wait_until_it_has_looked(psutil.Process(keeper))
    assert lasting <= set(processes_of(directory)) and running_pid(server) == pid
    server.release()


def test_a_killed_server_recovers_what_was_committed(server: EmbeddedServer) -> None:
    server.acquire()
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS n")
    killed = running_pid(server)
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(killed))
    server.acquire()
    assert running_pid(server) != killed
    assert ask(server, "SELECT n FROM kept") == 42
    server.release()


def test_a_killed_keeper_is_replaced_by_the_next_user(server: EmbeddedServer, directory: Path) -> None:
    server.acquire()
    pid = running_pid(server)
    (keeper,) = keepers(directory)
    os.kill(keeper, signal.SIGKILL)
    wait_until(lambda: not keepers(directory))
    user = Process(USER, directory)
    assert user.line()[0] == pid
    assert len(keepers(directory)) == 1
    server.release()
    user.kill()
    wait_until_gone(directory)


def test_a_starter_killed_while_making_the_data_folder_is_swept_up(bare: Path) -> None:
    server = EmbeddedServer(bare)
    for _ in range(5):
        starter = Process(USER, bare)
        wait_until(lambda: any(bare.glob("data.partial-*/global")) or (bare / "data").exists())
        starter.kill()
        if not (bare / "data").exists():
            break
        # It had finished before it was killed.
        server.stop()
        wait_until_gone(bare)
        shutil.rmtree(bare)
    assert not (bare / "data").exists()
    with server:
        assert ask(server, "SELECT 1") == 1
        assert not list(bare.glob("data.partial-*"))


def test_stop_sweeps_up_a_half_made_data_folder(bare: Path) -> None:
    server = EmbeddedServer(bare)
    (bare / "data.partial-1-x" / "base").mkdir(parents=True)
    assert not server.stop()
    assert not list(bare.glob("data.partial-*"))


def test_a_starter_killed_while_the_server_starts_leaves_nothing(directory: Path) -> None:
    starter = Process(USER, directory)
    wait_until(lambda: bool(processes_of(directory)))
    starter.kill()
    wait_until_gone(directory)


def test_stop_wins_over_a_process_that_is_starting_the_server(
    server: EmbeddedServer, directory: Path
) -> None:
    starter = Process(USER, directory, quiet=True)
    wait_until(lambda: bool(processes_of(directory)))
    server.stop()
    wait_until_gone(directory)
    starter.kill()


@pytest.mark.parametrize("stop", [False, True], ids=["start", "stop"])
def test_a_pid_file_whose_number_another_program_has_now(
    server: EmbeddedServer, directory: Path, stop: bool
) -> None:
    server.acquire()
    owner = (directory / "data").stat().st_uid
    os.kill(running_pid(server), signal.SIGKILL)
    server.release()
    wait_until_gone(directory)
    pid_file = directory / "data" / "postmaster.pid"
    with subprocess.Popen(["sleep", "60"], user=owner) as innocent:
        lines = pid_file.read_text().splitlines()
        pid_file.write_text("\n".join([str(innocent.pid), *lines[1:]]) + "\n")
        assert not server.status().running
        if stop:
            assert not server.stop()
        with server:
            assert ask(server, "SELECT 1") == 1
        assert innocent.poll() is None
        innocent.kill()


def test_a_server_whose_folder_was_removed_ends(tmp_path: Path) -> None:
    directory = tmp_path / "pg"
    server = EmbeddedServer(directory)
    server.acquire()
    # Gone at once: the server makes files while they are deleted one by one.
    shutil.rmtree(directory.rename(tmp_path / "deleted"), ignore_errors=True)
    wait_until_gone(directory)
    server.acquire()
    with EmbeddedServer(directory) as other:
        assert ask(other, "SELECT 1") == 1
    assert server.status().running
    server.release()
    wait_until_gone(directory)


# --- Odd folders ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sp ace qu'ote\"s $(false)`false`;\\n %20&host=x ünï", "a,b"])
def test_a_folder_with_any_name(tmp_path: Path, name: str) -> None:
    server = EmbeddedServer(tmp_path / name)
    with server:
        assert ask(server, "SELECT 1") == 1
        result = subprocess.run(
            [binary("psql"), "-XAtc", "SELECT 2", server.url], capture_output=True, text=True, check=True
        )
        assert result.stdout == "2\n"
    wait_until_gone(tmp_path / name)


def test_a_path_too_long_for_a_socket_gets_a_private_folder(tmp_path: Path) -> None:
    directory = tmp_path / ("long-" * 20) / "pg"
    server = EmbeddedServer(directory)
    with server:
        folder = socket_folder(server)
        assert ask(server, "SELECT 1") == 1
        assert not folder.is_relative_to(directory)
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.parent.exists()
    wait_until_gone(directory)


def test_a_private_folder_that_somebody_else_made_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / ("long-" * 20) / "pg"
    server = EmbeddedServer(directory)
    squatted = socket_folder(server).parent
    squatted.symlink_to(tmp_path)
    try:
        with pytest.raises(StorageError, match="not a folder of this user"):
            server.acquire()
    finally:
        squatted.unlink()
    wait_until_gone(directory)


def test_a_link_to_the_folder_is_the_same_server(
    server: EmbeddedServer, directory: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(directory)
    with server, EmbeddedServer(tmp_path / "link") as other:
        assert running_pid(other) == running_pid(server)


def test_a_data_folder_of_another_version_is_refused(bare: Path) -> None:
    server = EmbeddedServer(bare)
    (bare / "data").mkdir(parents=True)
    (bare / "data" / "PG_VERSION").write_text("16\n")
    with pytest.raises(DatabaseError, match=r"made by PostgreSQL 16; this is PostgreSQL 18"):
        server.acquire()


def test_a_data_folder_with_other_things_in_it_is_refused(bare: Path) -> None:
    server = EmbeddedServer(bare)
    (bare / "data").mkdir(parents=True)
    (bare / "data" / "thesis.txt").write_text("the only copy")
    with pytest.raises(DatabaseError, match="is not the data folder"):
        server.acquire()
    assert (bare / "data" / "thesis.txt").read_text() == "the only copy"


def test_a_server_that_cannot_start_is_reported_with_its_log(server: EmbeddedServer, directory: Path) -> None:
    with server:
        pass
    (directory / "data" / "postgresql.auto.conf").write_text("shared_buffers = 'nonsense'\n")
    with pytest.raises(DatabaseError, match="shared_buffers"):
        server.acquire()


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be used"):
        EmbeddedServer(tmp_path / "file" / "pg").acquire()


def test_a_line_break_in_the_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="has a line break"):
        EmbeddedServer(tmp_path / "two\nlines").acquire()


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(PrerequisiteError, match="'pg_nothing'"):
        binary("pg_nothing")


# --- Odd users ------------------------------------------------------------------------------------------


@pytest.mark.skipif(not AS_ROOT, reason="only root has closed folders that the server's user must pass")
def test_root_runs_it_as_nobody_below_aclosed_folder(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = EmbeddedServer(closed / "deep" / "pg")
    with server:
        assert ask(server, "SELECT 1") == 1
        uids = psutil.Process(running_pid(server)).uids()
        assert set(uids) == {pwd.getpwnam("nobody").pw_uid}
    assert closed.stat().st_mode & 0o777 == 0o700
    assert closed.stat().st_uid == 0


@pytest.fixture
def nobodys_folder() -> Iterator[Path]:
    """A folder that nobody owns and can reach; pytest's own are closed to others."""
    nobody = pwd.getpwnam("nobody")
    folder = Path(tempfile.mkdtemp(prefix="ecom-test-")).resolve()
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    yield folder
    EmbeddedServer(folder / "pg").stop()
    wait_until_gone(folder / "pg")
    shutil.rmtree(folder)


@pytest.mark.skipif(not AS_ROOT, reason="the other tests run as an ordinary user already")
def test_an_ordinary_user_runs_it_directly(nobodys_folder: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    # The capability only lets it reach the interpreter, which may be in root's home.
    as_nobody = setpriv(nobody.pw_uid, nobody.pw_gid)
    user = Process(USER, nobodys_folder / "pg", prefix=as_nobody)
    pid, _ = user.line()
    owners = {psutil.Process(found).uids().real for found in processes_of(nobodys_folder / "pg")}
    assert owners == {nobody.pw_uid} and pid
    assert user.go_on() == 0
    wait_until_gone(nobodys_folder / "pg")


@pytest.mark.skipif(not AS_ROOT, reason="only root changes to another user")
def test_without_the_capability_root_changes_the_user_plainly(
    monkeypatch: pytest.MonkeyPatch, nobodys_folder: Path
) -> None:
    if closed_folder(binary("postgres")):
        pytest.skip("the environment is below a closed folder")
    monkeypatch.setattr("ecom_platform.server.account.setpriv", lambda *_: ())
    nobodys_folder.chmod(0o755)
    server = EmbeddedServer(nobodys_folder / "pg")
    with server:
        assert ask(server, "SELECT 1") == 1


@pytest.mark.skipif(not AS_ROOT, reason="only root changes to another user")
def test_without_the_capability_a_closed_folder_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("ecom_platform.server.account.setpriv", lambda *_: ())
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(PrerequisiteError, match="is closed to it"):
        EmbeddedServer(closed / "pg").acquire()
    assert closed.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(not AS_ROOT, reason="only root can lack the right to look into others' folders")
def test_a_root_without_rights_is_told_so(bare: Path) -> None:
    weak = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all", "--"]
    program = USER.replace(
        "server.acquire()", "try: server.acquire()\nexcept Exception as e: sys.exit(repr(e))"
    )
    command = [*weak, sys.executable, "-c", program, str(bare)]
    result = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    assert result.returncode == 1
    assert "PrerequisiteError" in result.stderr and "DAC_OVERRIDE" in result.stderr
