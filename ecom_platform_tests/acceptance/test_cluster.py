"""The same code on a Spark cluster: a master and two workers as processes, PostgreSQL over TCP."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks.server import Address, Server, running
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.settings import load_settings
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection, Database
from ecom_platform_tests.acceptance.cluster import HOST, Cluster, can_hide, standalone_cluster
from ecom_platform_tests.acceptance.ui import clean_environment
from ecom_platform_tests.landing import rows_of
from ecom_platform_tests.reference import compare
from ecom_platform_tests.s3_server import CREDENTIALS, S3Server
from ecom_platform_tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("starts_spark")

ECOM = [sys.executable, "-m", "ecom_platform"]
EVENTS = 30_000
PATIENCE_SECONDS = 300
# The unit of the newest file waits for a row lock of ours: which connection, and from which port.
_WAITING = """
    SELECT client_port FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name = 'ecom_platform'
"""


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("server") / "postgres") as server:
        yield server


@pytest.fixture(scope="module")
def of_the_driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that no worker sees, where the machine lets us hide one."""
    return tmp_path_factory.mktemp("driver")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, of_the_driver: Path) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    of_workers = {
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    hidden = of_the_driver if can_hide(of_the_driver) else None
    with standalone_cluster(folder, 2, of_workers, hidden) as started:
        yield started


def give_credentials(cluster: Cluster) -> None:
    """To executors that start from now on."""
    lines = [f"{name.lower()} = {value}" for name, value in CREDENTIALS.items()]
    (cluster.folder / "credentials").write_text("\n".join(["[default]", *lines, ""]))


def environment(home: Path, cluster: Cluster, address: Address) -> dict[str, str]:
    home.mkdir(exist_ok=True)
    return clean_environment() | {
        "ECOM_HOME": str(home),
        "ECOM_POSTGRES_URL": address.url,
        "ECOM_SPARK_MASTER": cluster.master,
        "ECOM_SPARK_SECRET": cluster.secret,
        "ECOM_SETTLE_SECONDS": "0",
        "ECOM_SHOP": "on",
    }


def test_what_a_cluster_lacks_is_named_at_the_start(
    postgres: Server, cluster: Cluster, s3: S3Server, tmp_path: Path
) -> None:
    with postgres.database("refused") as address:
        home = tmp_path / "home"
        ours = environment(home, cluster, address) | {"ECOM_SPARK_CORES": "1", **CREDENTIALS}
        elsewhere = address.url.replace(f":{address.port}/", ":1/")
        cases: list[dict[str, str]] = [
            # A path that is another folder in every process.
            {"ECOM_LANDING_DIR": "/proc/self/cwd/landing"},
            # The driver has credentials, and executors have none.
            {"ECOM_LANDING_URL": f"s3://{s3.bucket}/refused", "ECOM_LANDING_ENDPOINT": s3.endpoint},
            {"ECOM_SPARK_POSTGRES_URL": elsewhere},
            {"ECOM_SPARK_PYTHON": "/nowhere/python"},
            # Nobody listens there, so executors cannot reach the driver.
            {
                "ECOM_SPARK_DRIVER_HOST": "127.0.0.9",
                "ECOM_SPARK_DRIVER_BIND_ADDRESS": HOST,
                "ECOM_SPARK_START_SECONDS": "6",
            },
        ]
        done = subprocess.run(
            [sys.executable, Path(__file__).with_name("refusals.py")],
            input=json.dumps([ours | case for case in cases]),
            env=ours,
            cwd=home,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        landing, bucket, database, python, driver = json.loads(done.stdout)
        examined = subprocess.run(
            [*ECOM, "doctor", "--json"], env=ours, cwd=home, capture_output=True, text=True, timeout=240
        )
    assert landing["code"] == "cluster"
    assert "/proc/self/cwd/landing" in landing["message"] and "ECOM_LANDING_DIR" in landing["remedy"]
    assert bucket["code"] == "cluster"
    assert f"s3://{s3.bucket}/refused/" in bucket["message"] and "AWS_" in bucket["remedy"]
    assert s3.keys(s3.bucket, "refused/") == []
    assert database["code"] == "database"
    assert "executor" in database["message"] and "ECOM_SPARK_POSTGRES_URL" in database["remedy"]
    assert "/nowhere/python" in python["message"] and "ECOM_SPARK_PYTHON" in python["remedy"]
    assert "127.0.0.9" in driver["message"] and "ECOM_SPARK_DRIVER_HOST" in driver["remedy"]
    findings = {finding["name"]: finding for finding in json.loads(examined.stdout)["prerequisites"]}
    assert examined.returncode == 0, findings
    assert "see the landing zone and the database" in findings["Executors"]["state"]
    for secret in (cluster.secret, address.password):
        assert secret not in done.stdout + done.stderr + examined.stdout + examined.stderr
        assert secret not in (home / "logs" / "spark.log").read_text()


def claimed(connection: Connection) -> int | None:
    """The newest file that waits to be loaded, once all have been claimed."""
    files = ledger.claimed(connection)
    connection.commit()
    return files[-1].file_id if files else None


def wait_for(what: str, question: Any, run: subprocess.Popen[str]) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answer := question()):
        assert run.poll() is None, f"the run ended before {what}: {run.communicate()}"
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return answer


def worker_behind(cluster: Cluster, port: int) -> subprocess.Popen[bytes]:
    """The worker whose executor's Python has this end of a connection."""
    pid = next(
        c.pid for c in psutil.net_connections("tcp") if c.laddr and c.laddr.port == port and c.pid is not None
    )
    ancestors = {process.pid for process in psutil.Process(pid).parents()}
    return next(worker for worker in cluster.workers if worker.pid in ancestors)


def test_a_worker_lost_in_mid_batch(postgres: Server, cluster: Cluster, tmp_path: Path) -> None:
    with postgres.database("lost") as address:
        ours = environment(tmp_path / "home", cluster, address) | {"ECOM_BATCH_FILES": "10"}
        database, settings = Database(address.url), load_settings(ours)
        command = [*ECOM, "run", "--json", "--events", str(EVENTS)]
        # Applications of the test before may still be on their way out.
        wait_until(lambda: not cluster.state()["activeapps"], lambda: str(cluster.state()["activeapps"]))
        before = len(ended(cluster))
        run = subprocess.Popen(
            command,
            env=ours,
            cwd=settings.home,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        with database.open() as holder, database.open(autocommit=True) as look:
            last = wait_for("files were claimed", lambda: claimed(holder), run)
            holder.execute("SELECT FROM ingested_files WHERE file_id = %s FOR UPDATE", (last,))
            waiting = wait_for("a unit waited", lambda: look.execute(_WAITING).fetchone(), run)
            # It is in its transaction. PostgreSQL does not notice that its client is gone.
            cluster.lose(worker_behind(cluster, waiting[0]))
        output, errors = run.communicate(timeout=PATIENCE_SECONDS)
        assert run.returncode == 0, errors
        result = json.loads(output)
        assert result["rows"] == rows_of(EVENTS, inserted=EVENTS, duplicate=0)
        assert result["files"] == {
            "landed": 30,
            "loaded": 30,
            "quarantined": 0,
            "unsettled": 0,
            "waiting": {},
            "refused": {},
        }
        assert result["checks"]["failed"] == []
        with database.open() as connection:
            ids = [row[0] for row in connection.execute("SELECT file_id FROM ingested_files").fetchall()]
            states = ledger.states(connection, ids)
        zone = LandingZone.of(settings)
        comparison = compare(database, {key: zone.path_of(state) for key, state in states.items()})
        assert (comparison.rows, comparison.lost, comparison.doubled) == (EVENTS, 0, 0)
        assert comparison.differences == []
        assert_run_by(cluster, before)
        for secret in (cluster.secret, address.password):
            assert secret not in output + errors
            assert secret not in everything_printed(cluster.folder, settings.home)


def test_workers_that_share_no_folder_load_from_a_bucket(
    postgres: Server, cluster: Cluster, s3: S3Server, of_the_driver: Path
) -> None:
    give_credentials(cluster)
    home = of_the_driver / "home"
    with postgres.database("bucket") as address:
        ours = environment(home, cluster, address) | {
            **CREDENTIALS,
            "ECOM_LANDING_URL": f"s3://{s3.bucket}/cluster",
            "ECOM_LANDING_ENDPOINT": s3.endpoint,
        }
        if cluster.hidden is not None:
            assert [worker for worker in cluster.workers if cluster.sees(worker, home.parent)] == []
        before = len(ended(cluster))
        command = [*ECOM, "run", "--json", "--events", str(EVENTS)]
        done = subprocess.run(
            command, env=ours, cwd=home, capture_output=True, text=True, timeout=PATIENCE_SECONDS
        )
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        assert result["rows"] == rows_of(EVENTS, inserted=EVENTS)
        assert (result["files"]["loaded"], result["checks"]["failed"]) == (30, [])
        assert len(s3.keys(s3.bucket, "cluster/.ecom/archive/")) == 30
        assert [key for key in s3.keys(s3.bucket, "cluster/") if "/.ecom/" not in key] == []
        assert_run_by(cluster, before)
        for secret in (cluster.secret, address.password, CREDENTIALS["AWS_SECRET_ACCESS_KEY"]):
            assert secret not in done.stdout + done.stderr
            assert secret not in everything_printed(cluster.folder, home)


def assert_run_by(cluster: Cluster, before: int) -> None:
    """The master knows the application, and that it had both workers' cores."""
    # It may learn of the end after the run has ended.
    wait_until(lambda: len(ended(cluster)) > before, lambda: str(ended(cluster)))
    application = max(ended(cluster), key=lambda application: int(application["starttime"]))
    assert application["name"] == "ecom_platform"
    assert application["state"] == "FINISHED"


def ended(cluster: Cluster) -> list[dict[str, Any]]:
    """Applications that the master knows to have ended."""
    applications: list[dict[str, Any]] = cluster.state()["completedapps"]
    return applications


def everything_printed(*folders: Path) -> str:
    """Logs of master, workers, executors, driver and Dagster; and the command lines that they show."""
    text = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    shown = "\n".join(" ".join(words) for words in text)
    for folder in folders:
        for path in [*folder.rglob("*.log"), *folder.rglob("stderr"), *folder.rglob("stdout")]:
            shown += path.read_text(errors="replace")
        for path in folder.rglob("*.db"):
            shown += path.read_bytes().decode("latin-1")
    return shown
