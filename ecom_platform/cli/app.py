"""``ecom``, the command line.

Belongs here: arguments, what is printed, exit codes. Does not belong here: any of the work. The
heavy imports (Dagster, Spark) happen inside the commands that need them, so that the others
answer at once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import traceback
from pathlib import Path

import click

from ecom_platform.cli.on_call import COMMANDS, Group, json_option
from ecom_platform.cli.runner import loads, run_job
from ecom_platform.cli.table_commands import feeds, unload
from ecom_platform.errors import EcomError, PrerequisiteError, StorageError, UsageError
from ecom_platform.installation import package_version, require_own_environment
from ecom_platform.processes.output import print_json, undelivered
from ecom_platform.settings import load_settings
from ecom_platform.store.refusals import refusal

UI_PORT = 3000
INTERRUPTED = 130
# How long `ecom stop` waits for a load to end.
STOP_SECONDS = 3600.0


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_version(), message="ecom_platform %(version)s")
def cli() -> None:
    """Files of e-commerce events into PostgreSQL, exactly once."""


for command in (*COMMANDS, feeds, unload):
    cli.add_command(command)


def main() -> None:
    """Run the command line and turn every end into an exit code that scripts can use."""
    code = _run(as_json="--json" in sys.argv[1:])
    lost = undelivered()
    # What a load has done does not depend on who was told.
    if lost is not None and code == 0:
        click.echo(f"The result could not be written to standard output: {lost.strerror}.", err=True)
        code = 0 if loads() else StorageError.exit_code
    sys.exit(code)


def _run(as_json: bool) -> int:
    try:
        require_own_environment(Path(sys.argv[0]))
        code = cli.main(standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.Abort:
        return INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "")
        return 0
    except click.UsageError as error:
        return _report(UsageError(error.format_message(), _usage_hint(error)), as_json)
    except EcomError as error:
        return _report(error, as_json)
    except OSError as error:
        return _report(_of_the_machine(error), as_json)
    except Exception as error:
        refused = refusal(error)
        if refused is None:
            traceback.print_exc()
        return _report(refused or _unforeseen(error), as_json)


def _of_the_machine(error: OSError) -> EcomError:
    """A file, a disk or a limit: whose it is stands in the error, and no trace says more."""
    named = f" ({os.fsdecode(error.filename)})" if isinstance(error.filename, str | bytes) else ""
    return StorageError(
        f"The system refuses: {error.strerror or error}{named}.",
        "Put that right and run the command again: what was committed stays.",
    )


def _unforeseen(error: Exception) -> EcomError:
    return EcomError(
        f"{type(error).__name__}: {' '.join(str(error).split())[:500]}",
        "This is a fault of the program, with its trace above; nothing half-done is stored.",
    )


def _usage_hint(error: click.UsageError) -> str:
    path = error.ctx.command_path if error.ctx else "ecom"
    return f"`{path} --help` lists what it takes."


def _report(error: EcomError, as_json: bool) -> int:
    if as_json:
        print_json({"run_id": None, "success": False, "error": error.as_json()})
    click.secho(f"Error: {error.message}", fg="red", err=True)
    if error.remedy:
        click.echo(error.remedy, err=True)
    return error.exit_code


# -- loading ------------------------------------------------------------------------------


@cli.command()
@click.option("--feed", "name", metavar="NAME", help="Load this feed alone.")
@click.argument("files", nargs=-1, metavar="[FILE…]", type=click.Path(path_type=Path))
@json_option
def ingest(name: str | None, files: tuple[Path, ...], as_json: bool) -> int:
    """Load what has landed; generate nothing. FILE…, with --feed, are copied in before."""
    if name is None:
        if files:
            raise UsageError("FILE… are files of some feed.", "Say which: `ecom ingest --feed NAME FILE…`.")
        return run_job("ingest", {}, as_json)
    from ecom_platform.catalog import declared_feed
    from ecom_platform.landing.landing_places import places_of
    from ecom_platform.landing.landing_zone import prepare

    settings = load_settings()
    feed = declared_feed(settings, name)
    places = places_of(settings)
    prepare(places.zone)
    brought = places.bring_in(feed.name, files)
    return run_job("ingest", {}, as_json, extra={"brought_in": brought} if files else None, feed=feed.name)


@cli.command()
def stream() -> int:
    """Live mode: load files as they land, until Ctrl-C or SIGTERM."""
    from ecom_platform.cli.live_runner import run_live

    return run_live()


# -- the rest ------------------------------------------------------------------------------------


@cli.command()
@json_option
def doctor(as_json: bool) -> int:
    """Each prerequisite, its state and its remedy."""
    from ecom_platform.cli.console import print_findings
    from ecom_platform.cli.doctor import examine

    findings = examine(load_settings())
    if as_json:
        print_json({"success": all(f.ok for f in findings), "prerequisites": [f.as_json() for f in findings]})
    else:
        print_findings(findings)
    return 0 if all(finding.ok for finding in findings) else PrerequisiteError.exit_code


@cli.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(arguments: tuple[str, ...]) -> int:
    """psql on the platform's database; every argument is passed on."""
    from ecom_platform.store.client import psql_command
    from ecom_platform.store.provision import provide

    with provide(load_settings()) as database:
        command, environment = psql_command(database)
        # Ctrl-C is psql's: it cancels a statement there.
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return subprocess.run([*command, *arguments], env=environment, check=False).returncode
        finally:
            signal.signal(signal.SIGINT, previous)


@cli.command()
def url() -> int:
    """Print the connection URL; the embedded server then runs until `ecom stop`."""
    from ecom_platform.store.provision import embedded_server, provide

    settings = load_settings()
    if settings.embedded:
        embedded_server(settings).pin()
    with provide(settings) as database:
        click.echo(database.url)
    return 0


@cli.command()
@click.option("--now", is_flag=True, help="Do not wait for those who use it: their work fails.")
def stop(now: bool) -> int:
    """Stop the embedded PostgreSQL server once nobody uses it."""
    from ecom_platform.store.provision import embedded_server

    settings = load_settings()
    if not settings.embedded:
        click.echo("ECOM_POSTGRES_URL names a server of its own; there is nothing to stop.", err=True)
        return 0
    stopped = False
    if settings.postgres_dir.is_dir():
        server = embedded_server(settings)
        stopped = server.stop() if now else server.stop_when_unused(STOP_SECONDS)
    click.echo("The embedded PostgreSQL server is stopped." if stopped else "No embedded server was running.")
    return 0


@cli.command()
@click.option("--port", type=click.IntRange(1, 65535), default=UI_PORT, show_default=True)
@click.option("--live", is_flag=True, help="Keep one `ecom stream` running beside it.")
def dev(port: int, live: bool) -> int:
    """The Dagster UI on 127.0.0.1, with daemon and sensors, until Ctrl-C."""
    from ecom_platform.cli.dev_runner import run_dev

    return run_dev(port, live)
