"""The compose stack under test: engine, services, GraphQL, SQL.

Belongs here: what the scenario of ``docker_scenario`` needs to drive a stack of its own, with its own
project name, ports and passwords. Does not belong here: what is expected of it.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecom_platform_tests.acceptance.ui import free_port

TOP = Path(__file__).parents[2]
COMPOSE_FILE = TOP / "docker" / "compose.yaml"
PASSWORDS = (
    "POSTGRES_PASSWORD",
    "ECOM_OWNER_PASSWORD",
    "ECOM_INGEST_PASSWORD",
    "ECOM_READER_PASSWORD",
    "DAGSTER_POSTGRES_PASSWORD",
    "ECOM_SPARK_SECRET",
    "ECOM_NOTEBOOK_TOKEN",
    "ECOM_OBJECTS_SECRET",
)
PORTS = (
    "POSTGRES_PORT", "SPARK_PORT", "SPARK_UI_PORT", "DAGSTER_PORT", "NOTEBOOK_PORT", "OBJECTS_PORT"
)  # fmt: skip
_ENDED = {"SUCCESS", "FAILURE", "CANCELED"}
_LOCATION = {"repositoryLocationName": "ecom_platform", "repositoryName": "__repository__"}


def engine_answers() -> bool:
    """Whether there is a Docker engine, with Compose, to work with."""
    if shutil.which("docker") is None:
        return False
    commands = (["docker", "version"], ["docker", "compose", "version"])
    return all(
        subprocess.run(command, capture_output=True, timeout=60).returncode == 0 for command in commands
    )


def run(*command: str | Path, stdin: str | None = None) -> str:
    """The standard output of a command that must succeed."""
    done = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=1200,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout.strip()


def wait_for(what: str, question: Callable[[], Any], seconds: float = 300) -> Any:
    """The first true answer; a question that fails is asked again."""
    deadline = time.monotonic() + seconds
    while True:
        with suppress(OSError, AssertionError, KeyError, TypeError, ValueError):
            if answer := question():
                return answer
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.3)


def graphql(ui: str, query: str, **variables: Any) -> Any:
    """What a webserver on this machine answers to a query."""
    request = urllib.request.Request(  # noqa: S310 (loopback)
        f"{ui}/graphql",
        data=json.dumps({"query": query, "variables": variables}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 (loopback)
        found = json.load(answer)
    assert "errors" not in found, found
    return found["data"]


def launch(ui: str, job: str, **config: int) -> str:
    """Launch a job; ``config`` is that of raw_events. Returns the id of the run."""
    run_config = {"ops": {"raw_events": {"config": config}}} if config else {}
    answer = graphql(
        ui,
        "mutation($p: ExecutionParams!) {launchRun(executionParams: $p) {__typename"
        " ... on LaunchRunSuccess {run {runId}} ... on PythonError {message}}}",
        p={"selector": {**_LOCATION, "jobName": job}, "runConfigData": run_config, "mode": "default"},
    )["launchRun"]
    assert answer["__typename"] == "LaunchRunSuccess", answer
    return str(answer["run"]["runId"])


# Asked from within the server: a question from outside takes longer than a run needs.
_HOLD = """
SELECT set_config('application_name', 'holder', false);
BEGIN;
DO $$
BEGIN
    LOOP
        PERFORM FROM ingested_files WHERE state = 'claimed' ORDER BY file_id DESC LIMIT 1 FOR UPDATE;
        EXIT WHEN FOUND;
        PERFORM pg_sleep(0.01);
    END LOOP;
END
$$;
"""


@dataclass
class Stack:
    """One compose project."""

    project: str
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.variables = {
            **{name: secrets.token_urlsafe(18) for name in PASSWORDS},
            **{name: str(free_port()) for name in PORTS},
            **self.variables,
        }
        self.environment_file = self.folder / "stack.env"
        lines = [f"{name}={value}\n" for name, value in self.variables.items()]
        self.environment_file.write_text("".join(lines), encoding="utf-8")
        self.environment_file.chmod(0o600)

    def compose(self, *arguments: str, stdin: str | None = None) -> str:
        options = ["-p", self.project, "--env-file", str(self.environment_file), "-f", str(COMPOSE_FILE)]
        return run("docker", "compose", *options, *arguments, stdin=stdin)

    def up(self, *services: str) -> float:
        """Start and wait until healthy; the seconds that took."""
        started = time.monotonic()
        try:
            self.compose("up", "-d", "--no-build", "--wait", "--wait-timeout", "400", *services)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.compose('ps', '-a')}\n{self.logs()}") from error
        return time.monotonic() - started

    def logs(self, *services: str) -> str:
        return self.compose("logs", "--no-color", "--tail", "60", *services)

    def containers(self, service: str) -> list[str]:
        return self.compose("ps", "-q", service).split()

    def down(self, *, volumes: bool) -> None:
        self.compose("--profile", "*", "down", "--timeout", "20", *(["--volumes"] if volumes else []))

    # -- the database --------------------------------------------------------------------------

    def sql(self, text: str, database: str = "ecommerce") -> str:
        command = ["psql", "-XAtq", "-h", "/var/run/postgresql", "-U", "postgres", "-d", database, "-c", text]
        return self.compose("exec", "-T", "postgres", *command)

    def number(self, text: str) -> int:
        return int(self.sql(text) or 0)

    @contextmanager
    def holding_the_newest_file(self) -> Iterator[None]:
        """The newest file that is claimed while the block lasts is not loaded before its end, nor is its
        run over: a session has its ledger row."""
        options = ["-p", self.project, "--env-file", str(self.environment_file), "-f", str(COMPOSE_FILE)]
        psql = ["psql", "-XAtq", "-h", "/var/run/postgresql", "-U", "postgres", "-d", "ecommerce"]
        command = ["docker", "compose", *options, "exec", "-T", "postgres", *psql]
        session = subprocess.Popen(
            command, text=True, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        assert session.stdin is not None
        try:
            session.stdin.write(_HOLD)
            session.stdin.flush()
            yield
        finally:
            session.stdin.close()  # psql ends, and with it the transaction
            session.wait(240)

    # -- memory --------------------------------------------------------------------------------

    def memory(self) -> dict[str, float]:
        """MiB of each service now."""
        lines = run("docker", "stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}").splitlines()
        found = {}
        for line in lines:
            name, used, unit = re.match(r"(\S+) ([0-9.]+)(\w+)", line).groups()  # type: ignore[union-attr]
            if name.startswith(self.project):
                factor = {"KiB": 1 / 1024, "MiB": 1.0, "GiB": 1024.0}.get(unit, 0.0)
                found[name.removeprefix(f"{self.project}-")] = float(used) * factor
        return found

    # -- Dagster -------------------------------------------------------------------------------

    def graphql(self, query: str, **variables: Any) -> Any:
        return graphql(f"http://127.0.0.1:{self.variables['DAGSTER_PORT']}", query, **variables)

    def launch(self, job: str, **config: int) -> str:
        """Launch a job; ``config`` is that of raw_events. Returns the id of the run."""
        return launch(f"http://127.0.0.1:{self.variables['DAGSTER_PORT']}", job, **config)

    def status(self, run_id: str) -> str:
        """A run's status; asked again while the webserver or its database comes back."""
        query = "query($id: ID!) {runOrError(runId: $id) {... on Run {status}}}"
        answer = wait_for("the status of a run", lambda: self.graphql(query, id=run_id)["runOrError"], 90)
        return str(answer["status"])

    def finish(self, run_id: str, seconds: float = 300) -> str:
        """The status that a run ends with."""

        def ended() -> str | None:
            status = self.status(run_id)
            return status if status in _ENDED else None

        return str(wait_for(f"the end of run {run_id}", ended, seconds))

    def end(self, run_id: str) -> str:
        """End a run whose process is gone, unless it has ended."""
        if (status := self.status(run_id)) in _ENDED:
            return status
        self.graphql(
            "mutation($id: String!) {terminateRun(runId: $id,"
            " terminatePolicy: MARK_AS_CANCELED_IMMEDIATELY) {__typename}}",
            id=run_id,
        )
        return self.finish(run_id)

    def events(self, run_id: str) -> list[dict[str, Any]]:
        """Check evaluations, materialisations and errors of a run."""
        query = """query($id: ID!) {logsForRun(runId: $id) {... on EventConnection {events {__typename
            ... on AssetCheckEvaluationEvent {evaluation {checkName success severity}}
            ... on MaterializationEvent {assetKey {path} metadataEntries {label
                ... on JsonMetadataEntry {jsonString} ... on TextMetadataEntry {text}
                ... on IntMetadataEntry {intValue}}}
            ... on ExecutionStepFailureEvent {error {message}}}}}}"""
        events: list[dict[str, Any]] = self.graphql(query, id=run_id)["logsForRun"]["events"]
        return events

    def running(self) -> int:
        """How many runs have not ended."""
        query = """query {runsOrError(filter: {statuses: [QUEUED, NOT_STARTED, STARTING, STARTED, CANCELING]})
            {... on Runs {results {runId}}}}"""
        return len(self.graphql(query)["runsOrError"]["results"])

    def sensors(self) -> set[str]:
        query = """query($s: RepositorySelector!) {sensorsOrError(repositorySelector: $s)
            {... on Sensors {results {name}}}}"""
        return {s["name"] for s in self.graphql(query, s=_LOCATION)["sensorsOrError"]["results"]}

    # -- the cluster ---------------------------------------------------------------------------

    def master(self) -> dict[str, Any]:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.variables['SPARK_UI_PORT']}/json/", timeout=10
        ) as page:
            state: dict[str, Any] = json.load(page)
        return state


@contextmanager
def stack(project: str, folder: Path, **variables: str) -> Iterator[Stack]:
    """A stack that is gone afterwards, volumes included."""
    made = Stack(project, folder, variables)
    try:
        yield made
    finally:
        made.down(volumes=True)
