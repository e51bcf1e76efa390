"""Dagster's webserver behind the guard, as a program of its own:

    python -m ecom_platform.orchestration.webserver --port 3000 --workspace workspace.yaml

``ecom dev`` and the stack run it; plain ``dagster dev`` and ``dagster-webserver`` do not have the guard.

Belongs here: building Dagster's application as its own command does, and serving it. Does not belong
here: what is refused (``request_guard``).
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click
import uvicorn
from dagster._cli.utils import get_possibly_temporary_instance_for_cli
from dagster._cli.workspace.cli_target import workspace_opts_to_load_target
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._utils.interrupts import setup_interrupt_handlers
from dagster._utils.log import configure_loggers
from dagster_shared.cli import WorkspaceOpts
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.version import __version__
from starlette.types import ASGIApp

from ecom_platform.errors import EcomError
from ecom_platform.orchestration.request_guard import Guard, host_of
from ecom_platform.settings import Settings, load_settings

# As `dagster-webserver` has them.
_STATEMENT_TIMEOUT_MS = 15_000
_POOL_MAX_OVERFLOW = 20
_POLL_MS = 2_000
# A browser that has the UI open keeps a WebSocket open: it is not waited for.
_FAREWELL_SECONDS = 2


def guarded_app(context: WorkspaceProcessContext, settings: Settings) -> ASGIApp:
    """Dagster's application for the workspace of ``context``, behind the guard."""
    app = create_app_from_workspace_process_context(context, live_data_poll_rate=_POLL_MS)
    return Guard(app, [host_of(settings.alerts.ui_url), *settings.ui_hosts])


@click.command(context_settings={"help_option_names": ["--help"]})
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True)
@click.option("--workspace", type=click.Path(path_type=Path), required=True, help="A workspace.yaml.")
@click.option("--read-only", is_flag=True, help="Nothing can be launched or changed.")
@click.option("--db-pool-recycle", type=int, default=3600, show_default=True, help="Seconds.")
def serve(host: str, port: int, workspace: Path, read_only: bool, db_pool_recycle: int) -> None:
    """Dagster's UI for its own pages and for programs, not for pages of other sites."""
    settings = load_settings()
    configure_loggers(formatter="colored", log_level="INFO")
    setup_interrupt_handlers()
    logger = logging.getLogger("dagster-webserver")
    with get_possibly_temporary_instance_for_cli("the webserver", logger=logger) as instance:
        instance.optimize_for_webserver(_STATEMENT_TIMEOUT_MS, db_pool_recycle, _POOL_MAX_OVERFLOW)
        with WorkspaceProcessContext(
            instance,
            version=__version__,
            read_only=read_only,
            workspace_load_target=workspace_opts_to_load_target(WorkspaceOpts(workspace=[str(workspace)])),
            code_server_log_level="warning",
        ) as context:
            uvicorn.run(
                guarded_app(context, settings),
                host=host,
                port=port,
                log_level="warning",
                timeout_graceful_shutdown=_FAREWELL_SECONDS,
            )


if __name__ == "__main__":
    try:
        serve()
    except EcomError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
