"""``ecom feeds plan``, ``apply`` and what else changes a feed's table; ``ecom unload``.

Belongs here: arguments and what is printed. Does not belong here: the work, which is in ``tables``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ecom_platform.cli.feeds import feeds
from ecom_platform.cli.on_call import json_option, zone_of
from ecom_platform.errors import UsageError
from ecom_platform.processes.output import print_json
from ecom_platform.settings import Settings, load_settings

__all__ = ["feeds"]

if TYPE_CHECKING:
    from ecom_platform.tables.planning import FeedPlan

_NEXT = {"loses": "rebuild", "rewrites": "apply", "renames": "apply"}


@feeds.command()
@click.argument("names", nargs=-1, metavar="[NAME…]")
@json_option
def plan(names: tuple[str, ...], as_json: bool) -> int:
    """What has to be done for tables to be as they are declared; exit code 1 if something is to do."""
    from ecom_platform.catalog import catalog
    from ecom_platform.store.provision import provide
    from ecom_platform.tables.planning import planned

    settings = load_settings()
    with provide(settings) as database:
        found = planned(database, catalog(settings), names)
    return _report(found, all(one.is_right for one in found), as_json, "nothing to do")


@feeds.command()
@click.argument("names", nargs=-1, metavar="[NAME…]")
@json_option
def apply(names: tuple[str, ...], as_json: bool) -> int:
    """Bring tables to what is declared, as their owner; what would lose rows is refused."""
    from ecom_platform.catalog import catalog
    from ecom_platform.store.provision import provide
    from ecom_platform.tables.planning import applied

    settings = load_settings()
    with provide(settings) as database:
        done = applied(database, catalog(settings), names, settings.lock_wait_seconds)
    return _report(done, not any(one.error for one in done), as_json, "as declared")


@feeds.command()
@click.argument("name")
@click.option("--without", multiple=True, metavar="FILE", help="Leave this file out; may be said often.")
@click.option("--partial", is_flag=True, help="Leave out all that cannot be had; its rows are kept aside.")
@json_option
def rebuild(name: str, without: tuple[str, ...], partial: bool, as_json: bool) -> int:
    """Load a feed's archive into a new table that takes the place of its own, by the declaration as it is."""
    from ecom_platform.catalog import catalog, require_known
    from ecom_platform.store.outcome import counts_text
    from ecom_platform.store.provision import provide
    from ecom_platform.tables.planning import usable
    from ecom_platform.tables.rebuilding import rebuild as make_anew

    settings = load_settings()
    declared = catalog(settings)
    require_known([name], {*declared.feeds, *declared.problems})

    def tell(done: int, files: int) -> None:
        click.echo(f"{done:,} of {files:,} files", err=True)

    with provide(settings) as database:
        done = make_anew(
            database,
            zone_of(settings),
            usable(declared, name),
            settings.lock_wait_seconds,
            without=without,
            partial=partial,
            on_progress=tell,
        )
    if as_json:
        print_json({"success": True, **done.as_json()})
        return 0
    made = done.rebuilt
    click.echo(
        f"The table of {name} is made anew from {made.files:,} files: {made.read:,} rows read, "
        f"{counts_text(made.inserted, made.updated, made.stale, made.duplicate, made.rejected)}."
    )
    if done.carried:
        click.echo(f"{done.carried:,} rows that had been corrected by hand are in it as they were.")
    for one in done.left_out:
        click.echo(f"Left out: {one.file}: {one.reason}")
    if made.kept_in:
        click.echo(
            f"What the new table does not have is kept in {made.kept_in}: drop it when it is not needed."
        )
    return 0


@feeds.command("add-column")
@click.argument("name")
@click.argument("column")
@click.argument("type_", metavar="TYPE")
@click.option("--from", "source", metavar="NAME", help="Its name in files, where that is another.")
@json_option
def add_column(name: str, column: str, type_: str, source: str | None, as_json: bool) -> int:
    """Take a column that files have by now: declaration, table, and the rows that are there."""
    from ecom_platform.catalog import catalog, require_known
    from ecom_platform.store.provision import provide
    from ecom_platform.tables.adding import add_column as add
    from ecom_platform.tables.adding import said_of

    settings = load_settings()
    declared = catalog(settings)
    require_known([name], {*declared.feeds, *declared.problems})
    folder = _folder_of(settings, name)
    with provide(settings) as database:
        wait = settings.lock_wait_seconds
        done = add(database, zone_of(settings), folder, declared, name, column, type_, wait, source=source)
    if as_json:
        print_json({"success": True, **done.as_json()})
    else:
        click.echo("\n".join(said_of(done)))
    return 0


@feeds.command()
@click.argument("old")
@click.argument("new")
@json_option
def rename(old: str, new: str, as_json: bool) -> int:
    """Let a feed be called NEW: declaration, table, ledger and folders; run again, it finishes."""
    from ecom_platform.landing.kept_files import kept_files
    from ecom_platform.store.provision import provide
    from ecom_platform.tables.renaming import rename as call

    settings = load_settings()
    folder = _folder_of(settings, old, new)
    with provide(settings) as database:
        zone = zone_of(settings)
        done = call(database, zone, folder, old, new, settings.lock_wait_seconds)
    if as_json:
        declaration = str(done.declaration)
        print_json({"success": True, "feed": new, "table": done.table, "declaration": declaration})
    else:
        click.echo(f"{old} is {new} now: its table is {done.table}, its declaration {done.declaration}.")
        click.echo(
            f"Its files land in {kept_files(zone).landing_of(new)}; reload the code location of Dagster."
        )
    return 0


@feeds.command()
@click.argument("name")
@click.option("--drop-table", is_flag=True, help="With its rows; without this, only a feed that has none.")
@click.option("--yes", is_flag=True, help="Do it; without this, only say what would be removed.")
@json_option
def remove(name: str, drop_table: bool, yes: bool, as_json: bool) -> int:
    """Take a feed out: its table and its ledger; its files are kept aside."""
    from ecom_platform.store.provision import provide
    from ecom_platform.tables.removing import remove as take_out
    from ecom_platform.tables.removing import survey

    settings = load_settings()
    folder = _folder_of(settings, name)
    with provide(settings) as database:
        zone = zone_of(settings)
        found = survey(database, zone, folder, name)
        removable = yes and (drop_table or found.has.nothing)
        if removable:
            wait = settings.lock_wait_seconds
            found = take_out(database, zone, folder, name, wait, drop_table=drop_table)
    answer = {"success": removable, "removed": removable, **found.as_json()}
    said = f"Removed: {found}." if removable else f"This removes {found}."
    if not removable:
        flags = "--yes" if found.has.nothing else "--drop-table --yes"
        error = UsageError("Nothing was removed yet.", f"`ecom feeds remove {name} {flags}` removes it.")
        answer["error"] = error.as_json()
        said = f"{said}\n{error}"
    click.echo(said, err=as_json)
    if as_json:
        print_json(answer)
    return 0 if removable else UsageError.exit_code


def _folder_of(settings: Settings, *names: str) -> Path:
    """The folder that has the declaration of one of these feeds as a file of its own, to be moved there."""
    from ecom_platform.catalog import catalog
    from ecom_platform.declarations import folders

    sources = catalog(settings).sources
    shared = next((name for name in names if name in sources and sources[name].is_shared), None)
    if shared is not None:
        raise UsageError(
            f"The feed {shared} is declared in {sources[shared]}, with what else stands there.",
            f"Put its declaration into a file of its own first: `feeds: feeds`, and feeds/{shared}.yaml.",
        )
    found = folders(settings.feeds_dir)
    # By the first part of a name: killed halfway, the file is called otherwise.
    having = (
        one for one in found if one.is_dir() and any(p.name.split(".")[0] in names for p in one.iterdir())
    )
    return next(having, settings.feeds_dir)


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option("--partial", is_flag=True, help="Do without files that the archive does not have any more.")
@json_option
def unload(files: tuple[str, ...], partial: bool, as_json: bool) -> int:
    """Let files be as if they had never come: their rows, rejects and ledger go; the files are kept aside."""
    from ecom_platform.catalog import catalog
    from ecom_platform.store.provision import provide
    from ecom_platform.tables.unload import unload_files

    settings = load_settings()
    with provide(settings) as database:
        done = unload_files(
            database, zone_of(settings), catalog(settings), files, settings.lock_wait_seconds, partial=partial
        )
    if as_json:
        print_json({"success": True, "feeds": [one.as_json() for one in done]})
        return 0
    for one in done:
        result = one.result
        click.echo(f"{one.feed}: {result.rows:,} rows and {result.rejects:,} rejects are out.")
        for file, place in zip(one.files, one.places, strict=True):
            click.echo(f"    {file.name} (file {file.file_id}): {place or 'was not on disk any more'}")
        for part in result.back:
            click.echo(f"    {part.rows:,} rows are stored from {part.name} (file {part.file_id}) now.")
        for name in one.passed_over:
            click.echo(f"    {name} may hold rows that are missing now: it is not in the archive.")
        if result.replayed:
            click.echo(
                f"    {result.replayed:,} of the rejects had been corrected: these rows are in no file."
            )
    return 0


def _report(found: list[FeedPlan], success: bool, as_json: bool, right: str) -> int:
    if as_json:
        print_json({"success": success, "feeds": [one.as_json() for one in found]})
        return 0 if success else 1
    for one in found:
        if one.error is not None:
            click.echo(f"{one.feed}: {one.error.message}")
            click.echo(f"    {one.error.remedy}")
            continue
        changes = one.plan.changes if one.plan else []
        click.echo(one.feed if changes else f"{one.feed}: {right}")
        for change in changes:
            click.echo(f"    {change.kind:10} {change.word}: {change.what}")
        for command in sorted({_NEXT[str(change.kind)] for change in changes if str(change.kind) in _NEXT}):
            if right == "nothing to do":
                click.echo(f"    `ecom feeds {command} {one.feed}`")
    return 0 if success else 1
