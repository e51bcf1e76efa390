"""The files of the stack, held to what they promise without starting anything: passwords, ports, limits."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

TOP = Path(__file__).parents[2]
DOCKER = TOP / "docker"
SERVICES = {
    "postgres",
    "migrate",
    "spark-master",
    "spark-worker",
    "dagster-code",
    "dagster-webserver",
    "dagster-daemon",
    "stream",
    "objects",
    "notebook",
}
_VARIABLE = re.compile(r"\$\{(\w+)(:?[-?][^}]*)?\}")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    return loaded


def pins(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", path.read_text(), re.MULTILINE))


def test_the_services_are_those_of_the_deployment(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == SERVICES
    optional = {name: s["profiles"] for name, s in compose["services"].items() if "profiles" in s}
    assert optional == {"stream": ["live"], "objects": ["bucket"], "notebook": ["notebook"]}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_each_has_health_restart_rotation_and_limits(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert service["restart"] in ("unless-stopped", "on-failure:5")
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}
    assert service["mem_limit"] and service["pids_limit"]
    # migrate ends, so there is nobody to ask; others wait for its success.
    assert "test" in service["healthcheck"] or name == "migrate"
    for other, condition in service.get("depends_on", {}).items():
        ends = other == "migrate"
        assert condition["condition"] == ("service_completed_successfully" if ends else "service_healthy")


def test_ports_are_published_on_loopback_alone(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert len(ports) == 6
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_password_is_required_and_handed_out_as_a_file(compose: dict[str, Any]) -> None:
    secrets = {secret["environment"] for secret in compose["secrets"].values()}
    required = dict(_VARIABLE.findall("\n".join(compose["x-required"])))
    assert set(required) == secrets
    assert all(rule.startswith(":?") for rule in required.values())
    # Nowhere else: neither in an environment nor in a command.
    assert not secrets & {name for name, _ in _VARIABLE.findall(yaml.safe_dump(compose["services"]))}


def test_only_the_migration_has_the_owners_password(compose: dict[str, Any]) -> None:
    having = {name for name, s in compose["services"].items() if "owner_password" in s.get("secrets", ())}
    assert having == {"postgres", "migrate"}


def test_the_landing_zone_has_one_path_everywhere_and_executors_only_read(compose: dict[str, Any]) -> None:
    mounts = {
        name: next(volume for volume in service["volumes"] if "ECOM_LANDING_SOURCE" in volume)
        for name, service in compose["services"].items()
        if any("ECOM_LANDING_SOURCE" in volume for volume in service.get("volumes", ()))
    }
    assert set(mounts) == {"spark-worker", "dagster-code", "stream"}
    assert len({volume.removesuffix(":ro") for volume in mounts.values()}) == 1
    assert [name for name, volume in mounts.items() if volume.endswith(":ro")] == ["spark-worker"]


def test_who_reads_or_writes_objects_has_credentials_and_nobody_else(compose: dict[str, Any]) -> None:
    having = {name for name, s in compose["services"].items() if "objects_secret" in s.get("secrets", ())}
    assert having == {"objects", "spark-worker", "dagster-code", "stream"}
    told = {
        name for name, s in compose["services"].items() if "AWS_ACCESS_KEY_ID" in s.get("environment", ())
    }
    assert told == having
    # Where a bucket is chosen, the folder can be unset: both at once are refused.
    for name in ("dagster-code", "stream"):
        environment = compose["services"][name]["environment"]
        assert environment["ECOM_LANDING_DIR"] == "${ECOM_LANDING_DIR-/var/lib/ecom/landing}"
        assert {"ECOM_LANDING_URL", "ECOM_LANDING_ENDPOINT", "ECOM_LANDING_DONE"} <= set(environment)


def test_make_env_writes_what_is_required_once(compose: dict[str, Any], tmp_path: Path) -> None:
    script = tmp_path / "make-env"
    script.write_text((DOCKER / "make-env").read_text())
    run = [sys.executable, str(script)]
    subprocess.run(run, check=True, capture_output=True)
    written = tmp_path / ".env"
    values = dict(line.split("=", 1) for line in written.read_text().splitlines() if "=" in line)
    assert set(values) == {secret["environment"] for secret in compose["secrets"].values()}
    assert len(set(values.values())) == len(values)
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    before = written.read_text()
    assert b"stays as it is" in subprocess.run(run, check=True, capture_output=True).stdout
    assert written.read_text() == before


@pytest.mark.parametrize("lock", ["requirements.lock", "notebook.lock", "objects.lock"])
def test_the_image_has_the_versions_that_are_tested(lock: str) -> None:
    image, tested = pins(DOCKER / lock), pins(TOP / "requirements.lock")
    assert image
    assert {n: v for n, v in image.items() if n in tested} == {n: tested[n] for n in image if n in tested}
    if lock == "requirements.lock":
        assert set(image) <= set(tested)


def test_the_image_has_what_the_package_needs() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[^a-z0-9-]", name)[0] for name in project["dependencies"]}
    assert "pyspark" in needed
    assert needed - set(pins(DOCKER / "requirements.lock")) == set()


@pytest.mark.parametrize("lock", ["requirements.lock", "notebook.lock", "objects.lock", "build.lock"])
def test_locks_have_hashes_and_no_address(lock: str) -> None:
    text = (DOCKER / lock).read_text()
    assert text.count("--hash=sha256:") >= len(pins(DOCKER / lock)) > 0
    assert "://" not in text and "index-url" not in text


def test_base_images_are_pinned_by_tag_and_the_user_is_not_root() -> None:
    lines = (DOCKER / "Dockerfile").read_text().splitlines()
    stages = {line.split(" AS ")[1] for line in lines if line.startswith("FROM ")}
    for line in lines:
        if line.startswith("FROM "):
            source = line.split()[1]
            assert source in stages or re.fullmatch(r"python:\$\{PYTHON_VERSION\}-slim", source)
    users = [line for line in lines if line.startswith(("USER ", "CMD "))]
    # Whatever is done as root in between, what runs is not.
    assert [users[index - 1] for index, line in enumerate(users) if line.startswith("CMD ")] == [
        "USER 10001"
    ] * 3


def test_dagsters_history_is_in_postgresql_and_bounded() -> None:
    instance = yaml.safe_load((DOCKER / "dagster.yaml").read_text())
    assert instance["storage"]["postgres"]["postgres_db"]["password"] == {"env": "DAGSTER_POSTGRES_PASSWORD"}
    assert instance["run_monitoring"]["enabled"] is True
    assert instance["run_monitoring"]["free_slots_after_run_end_seconds"] > 0
    assert instance["concurrency"]["pools"] == {"granularity": "run", "default_limit": 1}
    assert instance["concurrency"]["runs"]["max_concurrent_runs"] > 0
    assert set(instance["retention"]) == {"schedule", "sensor"}
    laptop = yaml.safe_load((TOP / "dagster.yaml").read_text())
    assert instance["run_retries"] == laptop["run_retries"]
    assert instance["telemetry"] == {"enabled": False}


def test_the_code_location_has_the_name_it_has_on_a_laptop() -> None:
    stack = yaml.safe_load((DOCKER / "workspace.yaml").read_text())["load_from"][0]["grpc_server"]
    laptop = yaml.safe_load((TOP / "workspace.yaml").read_text())["load_from"][0]["python_module"]
    assert stack["location_name"] == laptop["location_name"]


def test_the_image_is_built_from_all_that_a_wheel_is_built_from() -> None:
    copied = {
        name
        for line in (DOCKER / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ")
        for name in line.split()[1:-1]
    }
    needed = {"setup.py", "pyproject.toml", "ecom_platform", "workspace.yaml", "dagster.yaml"}
    assert needed <= copied
    # Nothing of a checkout gets into a layer but what is let in here.
    lines = (TOP / ".dockerignore").read_text().splitlines()
    assert "*" in lines and {f"!{name}" for name in needed} <= set(lines)


def test_the_ui_is_served_behind_the_guard(compose: dict[str, Any]) -> None:
    webserver = compose["services"]["dagster-webserver"]
    assert webserver["command"][:3] == ["python", "-m", "ecom_platform.orchestration.webserver"]
    assert {"ECOM_UI_URL", "ECOM_UI_HOSTS"} <= set(webserver["environment"])
    unguarded = [
        name for name, s in compose["services"].items() if "dagster-webserver" in str(s.get("command"))
    ]
    assert unguarded == []


def test_the_notebook_shares_nothing_with_what_loads(compose: dict[str, Any]) -> None:
    """Who has the cluster's secret runs code beside the loading, as the same user, with its passwords."""
    notebook = compose["services"]["notebook"]
    assert set(notebook["secrets"]) == {"reader_password", "notebook_token"}
    assert "volumes" not in notebook
    assert notebook["environment"]["ECOM_SPARK_MASTER"].startswith("local")
    assert "spark" not in " ".join(notebook["depends_on"])
