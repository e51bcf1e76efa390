"""A web page of somebody else in a real browser: it cannot drive the UI, and the UI itself works."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, sync_playwright

from ecom_platform_tests.acceptance import ui as browser
from ecom_platform_tests.webserver import MUTATION, Ui, webserver

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not browser.CHROMIUM.exists(), reason="Debian's package chromium is not installed"),
]

REBOUND = "rebound.example"

# Everything that a page can do without being allowed to; each way ends in the page's list `done`.
PAGE = """<!doctype html><title>foreign</title><body><iframe name="hidden"></iframe><script>
const ui = %(ui)s, mutation = %(mutation)s, query = "?query=" + encodeURIComponent(mutation), done = [];
const body = JSON.stringify({query: mutation}), address = ui + "/graphql" + query;
function ends(name, start) {
  return new Promise(resolve => start(outcome => { done.push(name + ": " + outcome); resolve(); }));
}
function fetched(options) {
  return end => fetch(ui + "/graphql" + (options.method ? "" : query), options)
    .then(answer => end(answer.type === "opaque" ? "sent" : answer.status), () => end("refused"));
}
async function attack() {
  await ends("image", end => {
    const image = new Image();
    Object.assign(image, {onload: () => end("loaded"), onerror: () => end("failed"), src: address});
  });
  await ends("get", fetched({mode: "no-cors"}));
  const text = {"Content-Type": "text/plain"};
  await ends("text", fetched({mode: "no-cors", method: "POST", body, headers: text}));
  await ends("beacon", end => end(navigator.sendBeacon(address, body)));
  await ends("json", fetched({method: "POST", body, headers: {"Content-Type": "application/json"}}));
  await ends("form", end => {
    const form = document.createElement("form");
    Object.assign(form, {action: address, method: "POST", enctype: "text/plain", target: "hidden"});
    form.innerHTML = `<input name='{"query":${JSON.stringify(mutation)},"a":"' value='"}'>`;
    document.body.append(form);
    document.querySelector("iframe").onload = () => end("sent");
    form.submit();
  });
  await ends("websocket", end => {
    const socket = new WebSocket(ui.replace("http", "ws") + "/graphql", "graphql-ws");
    socket.onopen = () => end("open"); socket.onerror = () => end("refused");
  });
  return done;
}
</script>"""


@contextmanager
def foreign_site(ui: Ui) -> Iterator[str]:
    """A site on another port of this machine, the nearest that a stranger can come."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = PAGE % {"ui": json.dumps(f"http://{ui.own}"), "mutation": json.dumps(MUTATION)}
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://localhost:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def page() -> Iterator[Page]:
    """A browser for which a foreign name leads to this machine."""
    options = ["--no-sandbox", "--disable-gpu", f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(browser.CHROMIUM), args=options)
        yield chromium.new_page()
        chromium.close()


def test_a_foreign_page_cannot_drive_the_ui(tmp_path: Path) -> None:
    with webserver(tmp_path) as ui, foreign_site(ui) as site, page() as tab:
        tab.goto(site)
        done = tab.evaluate("attack()")
        assert len(done) == 7, done
        assert "websocket: refused" in done and "json: refused" in done, done
        assert not ui.changed()

        # Under a name of its own, where it would be the same site for the browser.
        answer = tab.goto(f"http://{REBOUND}:{ui.port}/graphql?query={quote(MUTATION)}")
        assert answer is not None and answer.status == 403
        # By a link that a person follows: the playground opens, and executes nothing by itself.
        tab.goto(site)
        tab.evaluate(f"location = 'http://{ui.own}/graphql?query=' + encodeURIComponent({MUTATION!r})")
        tab.wait_for_url("**/graphql?query=**")
        tab.get_by_text("GraphiQL").first.wait_for(state="attached")
        assert not ui.changed()

        # In a frame, to be clicked on unseen.
        tab.goto(site)
        tab.evaluate(f"document.querySelector('iframe').src = 'http://{ui.own}/runs'")
        frame = tab.frame_locator("iframe")
        tab.wait_for_function("document.querySelector('iframe').contentDocument === null")
        assert frame.get_by_text("Dagster").count() == 0


def test_the_uis_own_page_works(tmp_path: Path) -> None:
    with webserver(tmp_path) as ui, page() as tab:
        problems: list[str] = []
        tab.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        answers: list[tuple[str, int]] = []
        tab.on("response", lambda answer: answers.append((answer.url, answer.status)))
        tab.goto(f"http://{ui.own}/runs", wait_until="domcontentloaded")
        tab.get_by_text("No runs to display").or_(tab.get_by_text("Deployment")).first.wait_for()
        assert [answer for answer in answers if answer[1] >= 400] == []
        assert not [text for text in problems if "Content Security Policy" in text or "403" in text], problems
        # The playground: its own script, a query, an answer.
        tab.goto(f"http://{ui.own}/graphql", wait_until="domcontentloaded")
        asked = """() => fetch("/graphql", {method: "POST", body: JSON.stringify({query: "{version}"}),
            headers: {"Content-Type": "application/json"}}).then(answer => answer.json())"""
        tab.get_by_role("button", name="Execute query").or_(
            tab.get_by_title("Execute Query")
        ).first.wait_for()
        assert "version" in tab.evaluate(asked)["data"]
