"""The UI's webserver as a test asks it: Dagster's own application behind the guard, served on a port."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from ecom_platform.settings import load_settings
from ecom_platform_tests.acceptance.ui import free_port
from ecom_platform_tests.waiting import wait_until

POOL = "ecom_ingest"
MUTATION = f'mutation {{ setConcurrencyLimit(concurrencyKey: "{POOL}", limit: 7) }}'

Headers = dict[str, str]


class Ui:
    """A running webserver, and the state of Dagster that a mutation would change."""

    def __init__(self, port: int, instance: dg.DagsterInstance) -> None:
        self.port = port
        self.own = f"127.0.0.1:{port}"
        self._storage = instance.event_log_storage

    def ask(
        self, method: str, path: str, headers: Headers | None = None, body: str | None = None
    ) -> tuple[int, http.client.HTTPMessage, str]:
        """Status, headers and text of the answer; ``Host`` is the address unless it is given."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=240)
        try:
            given = {"Host": self.own, **(headers or {})}
            connection.putrequest(method, path, skip_host=True)
            for name, value in given.items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body.encode() if body is not None else None)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def mutate(self, headers: Headers, method: str = "POST", path: str = "/graphql") -> int:
        return self.ask(method, path, headers, json.dumps({"query": MUTATION}))[0]

    def changed(self) -> bool:
        """Whether the mutation was executed; the next test finds it undone."""
        keys = {pool.name for pool in self._storage.get_pool_limits()}
        if POOL in keys:
            self._storage.delete_concurrency_limit(POOL)
        return POOL in keys


@contextmanager
def webserver(folder: Path) -> Iterator[Ui]:
    """The guarded webserver on a free port, with an instance in ``folder`` and no code location."""
    # Dagster's webserver takes two seconds to import, and pytest imports this module to look for tests.
    import uvicorn
    from dagster._cli.workspace.cli_target import workspace_opts_to_load_target
    from dagster._core.instance.ref import InstanceRef
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster_shared.cli import WorkspaceOpts

    from ecom_platform.orchestration.webserver import guarded_app

    settings = load_settings({"ECOM_HOME": str(folder), "ECOM_UI_URL": "https://ui.example.com/dagster"})
    with (
        dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(folder))) as instance,
        WorkspaceProcessContext(
            instance, workspace_opts_to_load_target(WorkspaceOpts(empty_workspace=True)), version="test"
        ) as context,
    ):
        port = free_port()
        server = uvicorn.Server(uvicorn.Config(guarded_app(context, settings), port=port, log_level="error"))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            wait_until(lambda: server.started)
            yield Ui(port, instance)
        finally:
            server.should_exit = True
            thread.join()
