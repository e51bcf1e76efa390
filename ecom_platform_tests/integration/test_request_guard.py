"""What the UI's webserver answers: Dagster's own application, served on a port and asked over sockets.

The browser's side of it is in ``acceptance/test_foreign_page.py``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from ecom_platform_tests.webserver import MUTATION, Headers, Ui, webserver

# One webserver for all of them.
pytestmark = [
    pytest.mark.xdist_group("webserver"),
    pytest.mark.usefixtures("starts_programs"),
]

JSON = {"Content-Type": "application/json"}
HTML = {"Accept": "text/html,application/xhtml+xml"}
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", **HTML}


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    with webserver(tmp_path_factory.mktemp("webserver")) as running:
        yield running


def test_a_program_and_the_own_page_are_answered(ui: Ui) -> None:
    for headers in (
        JSON,
        {"Content-Type": "application/json; charset=utf-8"},
        {**JSON, "Origin": f"http://{ui.own}", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"},
        {**JSON, "Host": f"localhost:{ui.port}", "Origin": f"http://localhost:{ui.port}"},
        {**JSON, "Host": f"[::1]:{ui.port}"},
        {**JSON, "Host": f"LOCALHOST.:{ui.port}"},
        # Behind a proxy with TLS, which passes its name on, or its own address.
        {**JSON, "Host": "ui.example.com", "Origin": "https://ui.example.com"},
        {**JSON, "Origin": "https://ui.example.com"},
    ):
        assert ui.mutate(headers) == 200, headers
        assert ui.changed(), headers


@pytest.mark.parametrize(
    "headers",
    [
        {**JSON, "Origin": "https://evil.example"},
        {**JSON, "Origin": "null"},
        {**JSON, "Origin": ""},
        # Another program's page on this machine, by the same name or by another of this machine's.
        {**JSON, "Origin": "http://127.0.0.1:1"},
        {**JSON, "Origin": "http://127.0.0.1"},
        {**JSON, "Origin": "http://localhost:{port}"},
        {**JSON, "Origin": "ftp://127.0.0.1:{port}"},
        {**JSON, "Origin": "http://127.0.0.1:{port}.evil.example"},
        {**JSON, "Origin": "http://evil.example@127.0.0.1:{port}"},
        {**JSON, "Origin": "https://ui.example.com:8443"},
        # A foreign name that was made to resolve to this machine.
        {**JSON, "Host": "evil.example"},
        {**JSON, "Host": "evil.example:{port}", "Origin": "http://evil.example:{port}"},
        {**JSON, "Host": "127.0.0.1.evil.example"},
        {**JSON, "Host": "ui.example.com.evil.example"},
        {**JSON, "Host": "localhost@evil.example"},
        {**JSON, "Host": ""},
        {**JSON, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
        {**JSON, "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
        {**JSON, "Sec-Fetch-Site": "cross-site", **NAVIGATION},
        # What a form or a simple request may send without asking first.
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=application/json"},
        {"Content-Type": "text/plain; application/json"},
        {"Content-Type": "application/graphql"},
        {"Content-Type": "application/json-patch+json"},
    ],
)
def test_a_page_of_another_site_changes_nothing(ui: Ui, headers: Headers) -> None:
    given = {name: value.replace("{port}", str(ui.port)) for name, value in headers.items()}
    assert ui.mutate(given) in (400, 403, 415)
    assert ui.mutate(given, path=f"/graphql?query={quote(MUTATION)}") in (400, 403, 415)
    assert not ui.changed()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/graphql", "/graphql/", "/%67raphql"])
def test_nothing_but_a_post_is_executed(ui: Ui, method: str, path: str) -> None:
    for headers in ({}, JSON, HTML, {"Accept": "*/*"}):
        ui.ask(method, f"{path}?query={quote(MUTATION)}", headers)
        assert not ui.changed()
    assert ui.ask(method, "/graphql?query={version}")[0] == 405


@pytest.mark.parametrize("kind", ["materialization", "check", "observation"])
def test_what_is_reported_about_assets_is_guarded_as_well(ui: Ui, kind: str) -> None:
    path = f"/report_asset_{kind}/user_events?check_name=a&passed=true"
    assert ui.ask("POST", path)[0] == 415
    assert ui.ask("POST", path, {**JSON, "Origin": "https://evil.example"}, "{}")[0] == 403


def test_a_websocket_is_opened_by_the_own_page_alone(ui: Ui) -> None:
    uri = f"ws://{ui.own}/graphql"
    for origin in (None, "https://evil.example", "http://127.0.0.1:1", f"http://localhost:{ui.port}", "null"):
        with pytest.raises(InvalidStatus) as refused:
            connect(uri, origin=origin, subprotocols=["graphql-ws"], proxy=None)
        assert refused.value.response.status_code == 403
    with connect(uri, origin=f"http://{ui.own}", subprotocols=["graphql-ws"], proxy=None) as socket:
        socket.send(json.dumps({"type": "connection_init"}))
        assert json.loads(socket.recv())["type"] == "connection_ack"


def test_links_are_followed_frames_and_images_are_not(ui: Ui) -> None:
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    assert ui.ask("GET", "/runs/1", {**elsewhere, **NAVIGATION})[0] == 200
    assert ui.ask("GET", "/runs/1", {**elsewhere, **NAVIGATION, "Sec-Fetch-Dest": "iframe"})[0] == 403
    image = {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    assert ui.ask("GET", "/favicon.png", {**elsewhere, **image})[0] == 403
    assert ui.ask("GET", "/favicon.png", {"Sec-Fetch-Site": "same-origin", **image})[0] == 200


@pytest.mark.parametrize(
    "path", ["/", "/graphql", "/server_info", "/favicon.png", "/notebook", "/logs/x/out"]
)
def test_every_answer_forbids_frames_and_says_what_it_may_load(ui: Ui, path: str) -> None:
    _, headers, text = ui.ask("GET", path, HTML)
    policies = headers.get_all("Content-Security-Policy", [])
    assert any("frame-ancestors 'none'" in policy for policy in policies)
    assert any("script-src" in policy or "default-src" in policy for policy in policies)
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in headers
    if path == "/":
        assert "'nonce-" in policies[0] and "Dagster" in text


def test_a_refusal_says_why_and_what_to_do(ui: Ui) -> None:
    status, _, text = ui.ask("GET", "/", {"Host": "dagster.internal:3000"})
    assert status == 403
    assert "ECOM_UI_HOSTS" in text
    assert "Content-Type application/json" in ui.ask("POST", "/graphql")[2]
