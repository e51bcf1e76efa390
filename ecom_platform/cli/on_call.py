"""``ecom status``, ``trace``, ``rejects``, ``reload``, ``reconcile``: for the person on call.

Belongs here: arguments and what is printed. Does not belong here: the work, which is in ``landing``
and ``postgres``.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ecom_platform.cli.runner import run_job
from ecom_platform.errors import PrerequisiteError, UsageError
from ecom_platform.processes.output import print_json
from ecom_platform.settings import Settings, load_settings

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on standard output."
)


class Group(click.Group):
    """A group whose help has each command's sentence whole, on as many lines as it takes."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, command.get_short_help_str(1_000)) for name, command in commands if command]
            )


def zone_of(settings: Settings) -> Any:
    """The landing zone, known to be usable."""
    from ecom_platform.landing import landing_zone

    zone = landing_zone.zone_of(settings)
    landing_zone.prepare(zone)
    return zone


@click.command()
@json_option
def status(as_json: bool) -> int:
    """What waits, what was loaded last, what is red; exit code 1 if something is."""
    from ecom_platform.cli.console import print_status
    from ecom_platform.cli.status import status as find_out

    found = find_out(load_settings())
    if as_json:
        print_json(found.as_json())
    else:
        print_status(found)
    return found.exit_code


@click.command()
@click.argument("wanted", metavar="EVENT_ID|FILE|FILE:LINE")
@json_option
def trace(wanted: str, as_json: bool) -> int:
    """What became of a row, a file or a line of one: file, line, batch, run, verdict."""
    from ecom_platform.catalog import catalog
    from ecom_platform.oncall.trace import trace as follow
    from ecom_platform.store.provision import provide

    settings = load_settings()
    with provide(settings) as database, database.open() as connection:
        answer = follow(connection, zone_of(settings), wanted, catalog(settings).feeds)
    if as_json:
        print_json({"success": answer.known, **answer.as_json()})
    else:
        click.echo(answer.verdict)
        for fact in answer.facts:
            click.echo("".join(f"\n  {name:14} {value}" for name, value in fact.items() if value is not None))
    return 0 if answer.known else 1


@click.group(cls=Group)
def rejects() -> None:
    """Rows that could not be loaded: see them, load those that have become valid."""


@rejects.command("list")
@json_option
def list_rejects(as_json: bool) -> int:
    """Open rejects by reason and column, with an example of each."""
    from ecom_platform.feeds.packaged import TOP_FEED
    from ecom_platform.store.provision import provide
    from ecom_platform.store.rejects import groups

    with provide(load_settings()) as database, database.open() as connection:
        found = groups(connection)
    if as_json:
        rows = [{**asdict(g), "raw": _shown(g.raw), "description": g.description} for g in found]
        print_json({"success": True, "rows": sum(g.rows for g in found), "reasons": rows})
        return 0
    for group in found:
        feed = "" if group.feed == TOP_FEED else f"{group.feed}: "
        column = f" in {group.column}" if group.column else ""
        click.echo(f"{group.rows:>10,}  {feed}{group.reason}{column}: {group.description}")
        said = f" ({group.message})" if group.message else ""
        click.echo(f"{'':12}{group.file_name}, line {group.line_number}{said}: {_shown(group.raw)}")
    click.echo(f"{sum(group.rows for group in found):>10,}  rows in all")
    return 0


def _shown(raw: bytes) -> str:
    """Bytes of a stranger, safe on a terminal."""
    text = raw[:200].decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@rejects.command("replay")
@click.option("--fixed", type=click.Path(path_type=Path), help="Corrected rows, as CSV.")
@click.option("--feed", "name", metavar="NAME", help="The feed that the corrected rows are of.")
@json_option
def replay_rejects(fixed: Path | None, name: str | None, as_json: bool) -> int:
    """Load rejects that have become valid, or their corrected rows; each once."""
    from ecom_platform.catalog import catalog, declared_feed
    from ecom_platform.oncall.corrections import replay_as_they_are, replay_corrected
    from ecom_platform.store.provision import provide

    settings = load_settings()
    with provide(settings) as database:
        zone = zone_of(settings)
        if fixed:
            done = replay_corrected(database, fixed, declared_feed(settings, name), zone)
        else:
            done = replay_as_they_are(database, zone, catalog(settings).feeds)
    verdicts = {str(verdict): count for verdict, count in done.verdicts.items()}
    success = not done.unmatched
    if as_json:
        print_json({"success": success, "verdicts": verdicts, "unmatched": done.unmatched})
    else:
        for verdict, count in verdicts.items():
            click.echo(f"{count:>10,}  {verdict}")
        click.echo(f"{done.loaded:>10,}  of {sum(verdicts.values()):,} tried are no longer rejects")
    for row in done.unmatched:
        click.echo(f"No open reject belongs to {row}.", err=True)
    return 0 if success else 1


@click.command()
@click.argument("files", nargs=-1, metavar="FILE…")
@click.option("--since", metavar="TIME", help="Everything that was loaded at or after this time (UTC).")
@json_option
def reload(files: tuple[str, ...], since: str | None, as_json: bool) -> int:
    """Load archived files again: deleted rows come back, the rest are duplicates."""
    from ecom_platform.oncall.requeue import reload_files, reload_since
    from ecom_platform.orchestration.times import utc
    from ecom_platform.store.provision import provide

    if bool(files) == bool(since):
        raise UsageError(
            "`ecom reload` takes either files or --since.", "Give a file name, or --since 2026-01-31."
        )
    settings = load_settings()
    with provide(settings) as database:
        zone = zone_of(settings)
        names = (
            reload_since(database, zone, utc("--since", since))
            if since
            else reload_files(database, zone, files)
        )
    click.echo(f"{len(names)} files are back in the landing folder.", err=True)
    return run_job("ingest", {}, as_json, extra={"requeued": names})


@click.command()
@click.option(
    "--adopt",
    is_flag=True,
    help="Make this landing folder the one that the database loads from, whichever it was before.",
)
@json_option
def reconcile(adopt: bool, as_json: bool) -> int:
    """Bring disk and ledger in agreement after a database was restored, then ingest."""
    from ecom_platform.oncall.requeue import reconcile as put_right
    from ecom_platform.store.lock import ingest_lock
    from ecom_platform.store.provision import provide

    settings = load_settings()
    with provide(settings) as database, ingest_lock(database, settings.lock_wait_seconds):
        done = put_right(database, zone_of(settings), adopt=adopt)
    click.echo(f"{len(done.requeued)} files that the ledger did not know land again.", err=True)
    click.echo(f"{done.taken_back} files that were finished after the backup are loaded again.", err=True)
    click.echo(f"{done.put_away} finished files were moved to where they belong.", err=True)
    for name in done.missing:
        click.echo(f"{name} is loaded by the ledger's word, but not in the archive.", err=True)
    return run_job("ingest", {}, as_json, extra={"reconciled": asdict(done)})


@click.group(cls=Group)
def alerts() -> None:
    """Who is told when something is wrong."""


@alerts.command("test")
@json_option
def test_alerts(as_json: bool) -> int:
    """Send one message to each target of ECOM_ALERT_URLS, and report how each took it."""
    from ecom_platform.alerts.targets import targets
    from ecom_platform.alerts.trial import Trial, try_targets

    settings = load_settings().alerts
    wanted = targets(settings.urls)
    if not wanted:
        raise PrerequisiteError(
            "ECOM_ALERT_URLS is not set: alerts are in the log and the table `alerts`, and nobody is told.",
            "Set it to one or more Apprise URLs, such as slack://… or mailto://…, and try again.",
        )

    def told(trial: Trial) -> None:
        state = "delivered" if trial.delivered else f"not delivered: {trial.error}"
        click.echo(f"{trial.target}  {state} ({trial.seconds:.2f} s)", err=as_json)

    trials = try_targets(wanted, settings.ui_url, told)
    refused = [trial for trial in trials if not trial.delivered]
    if as_json:
        answer: dict[str, Any] = {"success": not refused, "targets": [asdict(trial) for trial in trials]}
        if refused:
            answer["error"] = _undelivered(refused).as_json()
        print_json(answer)
    return PrerequisiteError.exit_code if refused else 0


def _undelivered(refused: list[Any]) -> PrerequisiteError:
    return PrerequisiteError(
        "; ".join(f"{trial.target}: {trial.error}" for trial in refused) + ".",
        "Check these URLs of ECOM_ALERT_URLS, and that their servers can be reached from here.",
    )


@click.command()
def migrate() -> int:
    """Bring the tables, those of feeds as well, to this version: where the ingest's role may not."""
    from ecom_platform.store.provision import provide
    from ecom_platform.store.schema import head
    from ecom_platform.streaming.readiness import ready_feeds

    settings = load_settings()
    with provide(settings) as database:
        ready = ready_feeds(settings, database)
        click.echo(f"{database.description} is at version {head()}.", err=True)
    for name, reason in ready.refused.items():
        click.echo(f"{name}: {reason}", err=True)
    return 1 if ready.refused else 0


COMMANDS: tuple[click.Command, ...] = (status, trace, rejects, reload, reconcile, alerts, migrate)
