"""A read-only webserver behind a proxy that asks for a password, as docs/deployment.md gives it."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ecom_platform_tests.acceptance.ui import clean_environment, free_port

TOP = Path(__file__).parents[2]
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
PASSWORD = "of-the-proxy"

pytestmark = [
    pytest.mark.usefixtures("starts_dagster"),
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed"),
]


class Ingress:
    """The proxy's address, and how it is asked."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def graphql(
        self, query: str, password: str | None = PASSWORD, origin: str | None = None
    ) -> tuple[int, Any]:
        headers = {"Content-Type": "application/json", "Origin": origin or self._url}
        if password is not None:
            headers["Authorization"] = "Basic " + base64.b64encode(f"alice:{password}".encode()).decode()
        body = json.dumps({"query": query}).encode()
        request = urllib.request.Request(  # noqa: S310 (loopback)
            f"{self._url}/graphql", data=body, headers=headers
        )
        try:
            with urllib.request.urlopen(request, timeout=240) as answer:  # noqa: S310
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, None


@pytest.fixture(scope="module")
def ingress(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingress]:
    folder = tmp_path_factory.mktemp("ingress")
    webserver, proxy = free_port(), free_port()
    text = (TOP / "docker" / "ingress" / "nginx.conf").read_text()
    text = text.replace(":3001", f":{webserver}").replace("127.0.0.1:8443", f"127.0.0.1:{proxy}")
    (folder / "nginx.conf").write_text(text)
    crypted = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"], input=PASSWORD, capture_output=True, text=True, check=True
    ).stdout.strip()
    (folder / "users").write_text(f"alice:{crypted}\n")
    (folder / "dagster").mkdir()
    environment = clean_environment() | {
        "ECOM_HOME": str(folder / "home"),
        "DAGSTER_HOME": str(folder / "dagster"),
    }
    command = [sys.executable, "-m", "ecom_platform.orchestration.webserver", "--read-only"]
    command += ["--port", str(webserver), "--workspace", str(TOP / "workspace.yaml")]
    serve = [str(NGINX), "-p", str(folder), "-c", "nginx.conf"]
    # Started by root it would serve as another user, who does not get into the tests' folder.
    serve += ["-g", "user root;"] if os.geteuid() == 0 else []
    with (folder / "log").open("wb") as log:
        started = [
            subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log),
            subprocess.Popen(serve, stdout=log, stderr=log),
        ]
    made = Ingress(proxy)
    try:
        deadline = time.monotonic() + 300
        while not answers(made):
            assert time.monotonic() < deadline, (folder / "log").read_text()
            assert all(process.poll() is None for process in started), (folder / "log").read_text()
            time.sleep(0.5)
        yield made
    finally:
        for process in started:
            process.terminate()
            process.wait(240)


def answers(made: Ingress) -> bool:
    try:
        return made.graphql("{version}")[0] == 200
    except OSError:
        return False


@pytest.mark.parametrize("password", [None, "a-guess"])
def test_nobody_gets_in_without_the_password(ingress: Ingress, password: str | None) -> None:
    assert ingress.graphql("{version}", password)[0] == 401


def test_with_it_the_assets_are_there(ingress: Ingress) -> None:
    status, answer = ingress.graphql("{assetNodes {assetKey {path}}}")
    assert status == 200
    paths = [node["assetKey"]["path"] for node in answer["data"]["assetNodes"]]
    assert ["user_events"] in paths


def test_a_page_of_another_site_is_refused_behind_it_as_well(ingress: Ingress) -> None:
    assert ingress.graphql("{version}", origin="https://evil.example")[0] == 403


def test_nothing_can_be_launched(ingress: Ingress) -> None:
    selector = '{repositoryLocationName: "ecom_platform", repositoryName: "__repository__", jobName: "main"}'
    parameters = f"{{selector: {selector}, runConfigData: {{}}}}"
    launch = f"mutation {{launchRun(executionParams: {parameters}) {{__typename}}}}"
    status, answer = ingress.graphql(launch)
    assert status == 200
    assert answer["data"]["launchRun"]["__typename"] == "UnauthorizedError"
