"""`make docker-test`: the image and the stack, built and used on whatever engine answers.

Builds, checks the files, starts the stack, runs the main job through GraphQL, drops a CSV, breaks
things in mid-batch, takes the stack down and up again, then uses its cluster from the host, then starts
a stack whose files land in a bucket and whose containers share no folder. Prints what it measured; exit 0
only if nothing was lost and nothing is there twice.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ecom_platform.shop.event import HEADER
from ecom_platform_tests.acceptance.stack import TOP, Stack, engine_answers, launch, run, stack, wait_for
from ecom_platform_tests.acceptance.ui import clean_environment, ecom_dev
from ecom_platform_tests.landing import rows_of

IMAGE, NOTEBOOK_IMAGE, OBJECTS_IMAGE = "ecom-platform:test", "ecom-notebook:test", "ecom-objects:test"
EVENTS = 30_000
# Enough for a fault to strike in mid-batch, on one core.
FAULT_EVENTS, FAULT_ROWS_PER_FILE = 300_000, 10_000
BATCH_FILES = 10
CSV_ROWS = 500
# What the sensor and the live mode have loaded, one file each.
DROPPED = 2 * CSV_ROWS
# What the executor's rows/s are measured with, in large files.
MEASURED_EVENTS, MEASURED_ROWS_PER_FILE = 1_000_000, 100_000


def say(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


# -- building --------------------------------------------------------------------------------------


def build() -> None:
    started = time.monotonic()
    dockerfile = TOP / "docker" / "Dockerfile"
    command = ["docker", "build", "--network", "host", "-f", str(dockerfile)]
    run(*command, "--target", "platform", "-t", IMAGE, TOP)
    run(*command, "--target", "notebook", "-t", NOTEBOOK_IMAGE, TOP)
    run(*command, "--target", "objects", "-t", OBJECTS_IMAGE, TOP)
    seconds = time.monotonic() - started
    size = int(run("docker", "image", "inspect", "--format", "{{.Size}}", IMAGE))
    layers = run("docker", "history", "--human=false", "--format", "{{.Size}} {{.CreatedBy}}", IMAGE)
    # The base's layers are below the first of ours, which makes the user.
    ours, _, _ = layers.partition("groupadd")
    added = sum(int(line.split()[0]) for line in ours.splitlines())
    above = f"{added / 1e6:,.0f} MB of it above the base"
    say(
        f"image: {size / 1e6:,.0f} MB, {above}; built, with those of notebook and objects, in {seconds:.0f} s"
    )
    if shutil.which("hadolint"):
        run("hadolint", dockerfile)
        say("hadolint: nothing to say")
    else:
        say("hadolint is not installed: not run")


# -- what must be true -----------------------------------------------------------------------------


def accounts(made: Stack, dropped: int) -> int:
    """Every row that was generated or dropped is stored once and accounted for; how many there are."""
    expected = made.number("SELECT sum(events) FROM generations") + dropped
    rows, distinct = made.sql("SELECT count(*), count(DISTINCT event_id) FROM user_events").split("|")
    assert int(rows) == int(distinct) == expected, f"{rows} rows, {distinct} ids, {expected} expected"
    open_files = "SELECT count(*) FROM ingested_files WHERE state <> 'loaded'"
    assert made.number(open_files) == 0
    wrong = "rows_read <> rows_inserted + rows_duplicate + rows_rejected"
    assert made.number(f"SELECT count(*) FROM ingested_files WHERE {wrong}") == 0
    return expected


def run_main(made: Stack) -> None:
    """The main job by GraphQL: its checks, its rows, and that the cluster's executor did the work."""
    peak: dict[str, float] = {}
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for name, used in made.memory().items():
                peak[name] = max(peak.get(name, 0.0), used)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    started = time.monotonic()
    run_id = made.launch("main")
    status = made.finish(run_id)
    seconds = time.monotonic() - started
    done.set()
    watcher.join()
    events = made.events(run_id)
    failures = [event["error"]["message"] for event in events if event.get("error")]
    assert status == "SUCCESS", f"{status}: {failures}\n{made.logs('dagster-code', 'spark-worker')}"
    evaluations = [event["evaluation"] for event in events if "evaluation" in event]
    failed = [e["checkName"] for e in evaluations if not e["success"]]
    assert evaluations and not failed, failed
    assert accounts(made, 0) == EVENTS
    say(f"main job by GraphQL: {EVENTS:,} rows, {len(evaluations)} checks passed, {seconds:.1f} s")
    say_memory("at work (peak)", peak)
    prove_executor(made, events)


def of_user_events(events: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What the materialisation of user_events says of itself."""
    return {
        entry["label"]: entry
        for event in events
        if event["__typename"] == "MaterializationEvent" and event["assetKey"]["path"] == ["user_events"]
        for entry in event["metadataEntries"]
    }


def prove_executor(made: Stack, events: list[dict[str, Any]]) -> None:
    """The tasks say where they ran; the master says that the application was there."""
    metadata = of_user_events(events)
    application = metadata["spark_application"]["text"]
    executors = json.loads(metadata["executors"]["jsonString"])
    workers = {container[:12] for container in made.containers("spark-worker")}
    assert executors and set(executors) <= workers, (executors, workers)
    known = {app["id"]: app for app in made.master()["completedapps"]}
    assert known[application]["name"] == "ecom_platform", known
    say(f"executed by the cluster: application {application}, units by container {executors}")


def measure(made: Stack) -> None:
    """Rows a second of the one executor, from files in the landing zone to the last COMMIT."""
    run_id = made.launch("main", events=MEASURED_EVENTS, rows_per_file=MEASURED_ROWS_PER_FILE)
    assert made.finish(run_id, 600) == "SUCCESS", made.logs("dagster-code")
    metadata = of_user_events(made.events(run_id))
    rate = metadata["rows_per_second"]["intValue"]
    rows = accounts(made, 0)
    assert rows == EVENTS + MEASURED_EVENTS
    table, keys = (
        made.number(f"SELECT {size}('user_events')") for size in ("pg_table_size", "pg_indexes_size")
    )
    say(
        f"{MEASURED_EVENTS:,} rows in files of {MEASURED_ROWS_PER_FILE:,}: {rate:,} rows/s with one core; "
        f"a row takes {table / rows:.0f} bytes, its key {keys / rows:.0f}"
    )


def say_memory(when: str, memory: dict[str, float]) -> None:
    parts = ", ".join(f"{name.rsplit('-', 1)[0]} {used:.0f}" for name, used in sorted(memory.items()))
    say(f"memory {when}: {sum(memory.values()):,.0f} MiB ({parts})")


def csv() -> str:
    """A file of events that nobody has seen."""
    row = "7,PROD1000,purchase,2026-01-02 03:04:05,19.99,Books,Mobile,DE"
    return "\n".join([HEADER, *(f"{uuid.uuid4()},{row}" for _ in range(CSV_ROWS))]) + "\n"


def drop(made: Stack, name: str) -> float:
    """A file into the landing volume, and seconds until it was loaded."""
    # Under a name that nobody takes, until it is complete.
    script = f"cd $ECOM_LANDING_DIR && cat > .dropped.tmp && mv .dropped.tmp {name}"
    made.compose("exec", "-T", "dagster-code", "sh", "-c", script, stdin=csv())
    started = time.monotonic()
    loaded = f"SELECT count(*) FROM ingested_files WHERE name = '{name}' AND state = 'loaded'"
    wait_for(f"{name} is loaded", lambda: made.number(loaded) == 1)
    return time.monotonic() - started


def run_that_loaded(made: Stack, name: str) -> str:
    """The run that loaded a file, and whether Dagster knows it."""
    run_id = made.sql(
        f"SELECT run_id FROM ingested_files JOIN stream_batches USING (batch_id) WHERE name = '{name}'"
    )
    return made.sql(f"SELECT pipeline_name FROM runs WHERE run_id = '{run_id}'", "dagster")


def sensor(made: Stack) -> None:
    """A dropped file is loaded by a run that the sensor launched."""
    assert "new_csv_files" in made.sensors()
    seconds = drop(made, "dropped.csv")
    assert run_that_loaded(made, "dropped.csv") == "ingest"
    say(f"a dropped CSV was loaded by the sensor after {seconds:.1f} s")
    accounts(made, CSV_ROWS)


def live(made: Stack) -> None:
    """The service `stream` loads what lands, and ends as it should when it is stopped."""
    wait_for("the sensor's run has ended", lambda: made.running() == 0)
    started = made.up("stream")
    seconds = drop(made, "live.csv")
    assert run_that_loaded(made, "live.csv") == "", "a run of Dagster loaded it"
    container = made.containers("stream")[0]
    made.compose("stop", "stream")
    code = run("docker", "inspect", "--format", "{{.State.ExitCode}}", container)
    assert code == "0", (code, made.logs("stream"))
    made.compose("rm", "--force", "stream")
    accounts(made, DROPPED)
    say(f"live mode: up in {started:.1f} s, a dropped CSV loaded after {seconds:.1f} s, stopped with 0")


def roles(made: Stack) -> None:
    """Passwords are SCRAM's, each role can do what it is for, and no more."""
    hashes = made.sql("SELECT count(*) FROM pg_authid WHERE rolpassword NOT LIKE 'SCRAM-SHA-256$%'")
    assert hashes == "0"
    lax = "SELECT count(*) FROM pg_hba_file_rules WHERE type = 'host' AND auth_method <> 'scram-sha-256'"
    lax += " AND address NOT IN ('127.0.0.1', '::1')"
    assert made.sql(lax) == "0"
    rights = made.sql(
        "SELECT has_table_privilege('ecom_ingest', 'user_events', 'INSERT'),"
        " has_schema_privilege('ecom_ingest', 'public', 'CREATE'),"
        " has_table_privilege('ecom_reader', 'user_events', 'SELECT'),"
        " has_table_privilege('ecom_reader', 'user_events', 'INSERT'),"
        " has_database_privilege('dagster', 'ecommerce', 'CONNECT')"
    )
    assert rights == "t|f|t|f|f", rights
    say("roles: SCRAM, ingest writes rows but makes no table, reader only reads, dagster sees no event")


def foreign_pages(made: Stack) -> None:
    """What a page of another site could send to the published port is refused."""
    ui = f"http://127.0.0.1:{made.variables['DAGSTER_PORT']}"
    body, foreign = b'{"query": "{version}"}', {"Origin": "https://evil.example"}
    for url, headers, data in (
        (f"{ui}/graphql?query=%7Bversion%7D", {}, None),
        (f"{ui}/graphql", {"Content-Type": "text/plain"}, body),
        (f"{ui}/graphql", {"Content-Type": "application/json", **foreign}, body),
        (f"{ui}/server_info", {"Host": "evil.example"}, None),
    ):
        try:
            urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=60)  # noqa: S310
        except urllib.error.HTTPError as error:
            assert error.code in (403, 405, 415), (url, error.code)
        else:
            raise AssertionError(f"{url} was answered with {headers}")
    say("the UI: no page of another site gets an answer")


def notebook(made: Stack) -> None:
    """JupyterLab asks for its token, and the notebook runs on the cluster as the role that only reads."""
    made.up("notebook")
    address = f"http://127.0.0.1:{made.variables['NOTEBOOK_PORT']}/api/contents"
    try:
        urllib.request.urlopen(address, timeout=30).close()
    except urllib.error.HTTPError as error:
        assert error.code == 403, error
    else:
        raise AssertionError(f"{address} asks for no token")
    execute = ["jupyter", "nbconvert", "--to", "markdown", "--execute", "--stdout", "notebooks/explore.ipynb"]
    text = made.compose("exec", "-T", "notebook", "with-secrets", *execute)
    rows = made.number("SELECT count(*) FROM user_events")
    assert f"{rows:,} rows in" in text, text[-3000:]
    made.compose("rm", "--stop", "--force", "notebook")
    say(f"the notebook read {rows:,} rows with SQL and with Spark, as ecom_reader")


def secrets_stay_secret(made: Stack) -> None:
    """No password in what the engine, the logs, Dagster's database or Spark's pages show."""
    containers = run("docker", "ps", "-aq", "--filter", f"label=com.docker.compose.project={made.project}")
    shown = run("docker", "inspect", *containers.split())
    shown += made.compose("logs", "--no-color") + json.dumps(made.master())
    dump = ["pg_dump", "-h", "/var/run/postgresql", "-U", "postgres", "-d", "dagster", "--data-only"]
    shown += made.compose("exec", "-T", "postgres", *dump)
    for service in ("dagster-code", "spark-worker"):
        files = "/var/lib/ecom/home/logs/* /var/lib/ecom/spark/*/*/std* /proc/[0-9]*/cmdline"
        files = f"cat {files} 2>/dev/null; true"
        shown += made.compose("exec", "-T", service, "sh", "-c", files)
    found = [name for name, value in made.variables.items() if len(value) > 20 and value in shown]
    assert not found, found
    say("no secret in inspect, logs, command lines, Dagster's database or Spark's pages")


# -- faults ----------------------------------------------------------------------------------------


def kill_worker(made: Stack) -> None:
    container = made.containers("spark-worker")[0]
    run("docker", "kill", container)
    run("docker", "start", container)


def restart_postgres(made: Stack) -> None:
    made.compose("restart", "postgres")


def kill_code_location(made: Stack) -> None:
    container = made.containers("dagster-code")[0]
    run("docker", "kill", container)
    run("docker", "start", container)


FAULTS: dict[str, Callable[[Stack], None]] = {
    "worker killed and started in mid-batch": kill_worker,
    "PostgreSQL restarted in mid-batch": restart_postgres,
    "code location killed and started in mid-batch": kill_code_location,
}


def strike(made: Stack, fault: str) -> None:
    """Break something while some files of a run are loaded and others are not; then let it be made good."""
    before = made.number("SELECT count(*) FROM ingested_files WHERE state = 'loaded'")
    middle = (
        f"SELECT count(*) FILTER (WHERE state = 'loaded') > {before} AND"
        " count(*) FILTER (WHERE state = 'claimed') > 0 FROM ingested_files"
    )
    with made.holding_the_newest_file():
        waits = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holder'"
        wait_for("somebody waits for the newest file", lambda: made.number(waits) == 1)
        run_id = made.launch("main", events=FAULT_EVENTS, rows_per_file=FAULT_ROWS_PER_FILE)
        wait_for("some files of the run were loaded", lambda: made.sql(middle) == "t")
        left = made.number("SELECT count(*) FROM ingested_files WHERE state = 'claimed'")
        FAULTS[fault](made)
    made.up()
    status = finish_or_end(made, run_id)
    again = "" if status == "SUCCESS" else f", then the job ingest: {ingest(made)}"
    rows = accounts(made, DROPPED)
    say(f"{fault}: {left} of 30 files were open; the run ended {status}{again}; {rows:,} rows, each once")


def finish_or_end(made: Stack, run_id: str) -> str:
    """How the run ends by itself; if nothing happens for a while, its process is gone: end it."""
    open_files = "SELECT count(*) FROM ingested_files WHERE state = 'claimed'"
    changed, known = time.monotonic(), ""
    while time.monotonic() - changed < 60:
        status = made.status(run_id)
        if status in ("SUCCESS", "FAILURE", "CANCELED"):
            return status
        now = status + str(made.number(open_files))
        if now != known:
            changed, known = time.monotonic(), now
        time.sleep(1)
    return made.end(run_id)


def ingest(made: Stack) -> str:
    status = made.finish(made.launch("ingest"), 400)
    assert status == "SUCCESS", made.logs("dagster-code")
    return status


def down_and_up(made: Stack) -> None:
    rows = accounts(made, DROPPED)
    made.down(volumes=False)
    seconds = made.up()
    assert accounts(made, DROPPED) == rows
    assert made.finish(made.launch("main", events=1_000)) == "SUCCESS"
    assert accounts(made, DROPPED) == rows + 1_000
    say(
        f"down and up with the volumes kept: up in {seconds:.1f} s, {rows:,} rows still there, and it goes on"
    )


# -- the laptop ------------------------------------------------------------------------------------


def laptop_environment(made: Stack, landing: Path) -> dict[str, str]:
    """The `.env` that docs/deployment.md gives."""
    port, password = made.variables["POSTGRES_PORT"], made.variables["ECOM_INGEST_PASSWORD"]
    network = "{{(index .IPAM.Config 0).Gateway}}"
    gateway = run("docker", "network", "inspect", f"{made.project}_default", "--format", network)
    return {
        "ECOM_SPARK_MASTER": f"spark://127.0.0.1:{made.variables['SPARK_PORT']}",
        "ECOM_SPARK_SECRET": made.variables["ECOM_SPARK_SECRET"],
        "ECOM_SPARK_PYTHON": "/opt/ecom/bin/python",
        "ECOM_SPARK_DRIVER_HOST": gateway,
        "ECOM_POSTGRES_URL": f"postgresql://ecom_ingest@127.0.0.1:{port}/ecommerce",
        "ECOM_SPARK_POSTGRES_URL": "postgresql://ecom_ingest@postgres:5432/ecommerce",
        "ECOM_POSTGRES_PASSWORD": password,
        "ECOM_LANDING_DIR": str(landing),
        "ECOM_SHOP": "on",
    }


def ecom(home: Path, settings: dict[str, str], *arguments: str) -> tuple[int, dict[str, object], str]:
    """`ecom` on this machine, in a folder with that `.env`."""
    home.mkdir(exist_ok=True)
    (home / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    command = [sys.executable, "-m", "ecom_platform", *arguments, "--json"]
    done = subprocess.run(
        command, cwd=home, env=clean_environment(), capture_output=True, text=True, timeout=400
    )
    return done.returncode, json.loads(done.stdout), done.stderr


def laptop(folder: Path) -> None:
    """Driver and Dagster on this machine; Spark and PostgreSQL in containers."""
    landing, home = folder / "landing", folder / "home"
    landing.mkdir(parents=True)
    # Executors have another user: they must be able to walk there.
    for path in (folder.parent, folder, landing):
        path.chmod(0o755)
    shared = {"ECOM_LANDING_DIR": str(landing), "ECOM_LANDING_SOURCE": str(landing)}
    with stack("ecom-laptop", folder / "stack", ECOM_IMAGE=IMAGE, **shared) as made:
        made.up("postgres", "spark-master", "spark-worker")
        made.compose("run", "--rm", "--no-deps", "migrate")
        settings = laptop_environment(made, landing)
        code, result, errors = ecom(home, settings, "run")
        assert code == 0, (result, errors, made.logs())
        assert result["rows"] == rows_of(EVENTS, inserted=EVENTS, duplicate=0)
        accounts(made, 0)
        applications = [app["name"] for app in made.master()["completedapps"]]
        assert applications == ["ecom_platform"], applications
        seconds = result["seconds"]
        say(f"from the host on the stack's cluster: {EVENTS:,} rows, {seconds}")
        with ecom_dev(home) as dev, dev.new_run() as ended:
            launch(dev.url, "main")
        assert ended["status"] == "SUCCESS", dev.log()
        accounts(made, 0)
        assert [app["name"] for app in made.master()["completedapps"]] == ["ecom_platform"] * 2
        say(f"by `ecom dev` on the host, launched in its UI: {2 * EVENTS:,} rows by now, each once")
        refused(home, settings, {"ECOM_LANDING_DIR": str(home / "elsewhere")}, "ECOM_LANDING_DIR")
        unreachable = {"ECOM_SPARK_DRIVER_HOST": "127.0.0.1", "ECOM_SPARK_START_SECONDS": "20"}
        refused(home, settings, unreachable, "ECOM_SPARK_DRIVER_HOST")


def refused(home: Path, settings: dict[str, str], wrong: dict[str, str], named: str) -> None:
    started = time.monotonic()
    code, result, errors = ecom(home, settings | wrong, "run")
    assert code == 3, (code, result, errors)
    error = result["error"]
    assert named in error["remedy"], error  # type: ignore[index]
    say(f"refused after {time.monotonic() - started:.0f} s, naming {named}: {error['message']}")  # type: ignore[index]


# -- a bucket ----------------------------------------------------------------------------------------

_PUT = """
import os, sys, boto3
client = boto3.client("s3", endpoint_url=os.environ["ECOM_LANDING_ENDPOINT"], region_name="us-east-1")
client.put_object(Bucket="landing", Key="events/" + sys.argv[1], Body=sys.stdin.buffer.read())
"""
_KEYS = """
import os, boto3
client = boto3.client("s3", endpoint_url=os.environ["ECOM_LANDING_ENDPOINT"], region_name="us-east-1")
for page in client.get_paginator("list_objects_v2").paginate(Bucket="landing", Prefix="events/"):
    print(*(entry["Key"] for entry in page.get("Contents", ())), sep="\\n")
"""


_IN_CODE = ["exec", "-T", "dagster-code", "with-secrets", "python", "-c"]


def put(made: Stack, name: str) -> float:
    """An object into the bucket, and seconds until it was loaded."""
    made.compose(*_IN_CODE, _PUT, name, stdin=csv())
    started = time.monotonic()
    loaded = f"SELECT count(*) FROM ingested_files WHERE name = '{name}' AND state = 'loaded'"
    wait_for(f"{name} is loaded", lambda: made.number(loaded) == 1)
    return time.monotonic() - started


def bucket(folder: Path) -> None:
    """A stack whose files land in a bucket: driver and executors share no folder."""
    variables = {"ECOM_IMAGE": IMAGE, "ECOM_OBJECTS_IMAGE": OBJECTS_IMAGE, "ECOM_SHOP": "on"}
    variables |= {"ECOM_LANDING_DIR": "", "ECOM_LANDING_URL": "s3://landing/events"}
    variables["ECOM_LANDING_ENDPOINT"] = "http://objects:8333"
    with stack("ecom-bucket", folder, **variables) as made:
        seconds = made.up("objects") + made.up()
        say(f"a stack with an S3 server: up and healthy after {seconds:.1f} s")
        run_main(made)
        seconds = put(made, "dropped.csv")
        assert run_that_loaded(made, "dropped.csv") == "ingest"
        accounts(made, CSV_ROWS)
        wait_for("the sensor's run has ended", lambda: made.running() == 0)
        made.up("stream")
        by_stream = put(made, "live.csv")
        assert run_that_loaded(made, "live.csv") == "", "a run of Dagster loaded it"
        container = made.containers("stream")[0]
        made.compose("stop", "stream")
        assert run("docker", "inspect", "--format", "{{.State.ExitCode}}", container) == "0"
        say(
            f"an object was loaded by the sensor after {seconds:.1f} s, by the live mode after "
            f"{by_stream:.1f} s"
        )
        accounts(made, DROPPED)
        keys = made.compose(*_IN_CODE, _KEYS).split()
        assert keys and [key for key in keys if not key.startswith("events/.ecom/")] == [], keys
        for service in ("spark-worker", "dagster-code"):
            assert made.compose("exec", "-T", service, "ls", "-A", "/var/lib/ecom/landing") == ""
        say(f"{len(keys)} objects below the prefix, all of ours; the volume that is shared is empty")
        secrets_stay_secret(made)


def main() -> int:
    if not engine_answers():
        print("No Docker engine with Compose answers: start one, or set DOCKER_HOST.", file=sys.stderr)
        return 3
    folder = Path(tempfile.mkdtemp(prefix="ecom-docker-"))
    started = time.monotonic()
    try:
        build()
        variables = {"ECOM_IMAGE": IMAGE, "ECOM_NOTEBOOK_IMAGE": NOTEBOOK_IMAGE}
        variables["ECOM_BATCH_FILES"] = str(BATCH_FILES)
        variables["ECOM_SHOP"] = "on"
        with stack("ecom-test", folder / "stack", **variables) as made:
            made.compose("config", "--quiet")
            say(f"compose config: valid; up and healthy after {made.up():.1f} s")
            say_memory("idle", made.memory())
            run_main(made)
            measure(made)
            roles(made)
            foreign_pages(made)
            sensor(made)
            notebook(made)
            live(made)
            for fault in FAULTS:
                strike(made, fault)
            secrets_stay_secret(made)
            down_and_up(made)
        laptop(folder / "laptop")
        bucket(folder / "bucket")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    say(f"docker-test passed in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
