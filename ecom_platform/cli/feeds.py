"""``ecom feeds init``, ``check``, ``list``: declarations of feeds, without a database and without Spark.

Belongs here: arguments, the file that is written, and what is printed. Does not belong here: finding out
what a file is (``files.drafting``), or reading it (``files.rehearsal``).
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ecom_platform.cli.on_call import Group, json_option
from ecom_platform.errors import FeedError, StorageError, UsageError, sentence
from ecom_platform.processes.output import print_json
from ecom_platform.settings import load_settings

if TYPE_CHECKING:
    from ecom_platform.catalog import Catalog
    from ecom_platform.feeds.feed import Feed
    from ecom_platform.files.drafting import Drafted
    from ecom_platform.files.rehearsal import Rehearsal

# Of a value so many characters are shown.
_MOST_SHOWN = 60
# So many columns without any value are told together.
_MANY_EMPTY = 3
_FILES = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(cls=Group)
def feeds() -> None:
    """Declarations of feeds: write one for your files, try files against it, list them."""


# -- init ----------------------------------------------------------------------------------------


@feeds.command()
@click.argument("files", nargs=-1, required=True, type=_FILES, metavar="FILE…")
@click.option("--name", help="The name of the feed; where it is not said, that of the first file.")
@click.option(
    "--set", "said", multiple=True, metavar="[COLUMN.]WORD=VALUE", help="Say what is not to be found out."
)
@click.option("--prove", is_flag=True, help="Read all of files that are larger than 64 MB.")
@click.option(
    "--component",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write it for another Dagster project: into a folder of its definitions, with a defs.yaml.",
)
@json_option
def init(
    files: tuple[Path, ...],
    name: str | None,
    said: tuple[str, ...],
    prove: bool,
    folder: Path | None,
    as_json: bool,
) -> int:
    """Write the declaration of a feed from files of it; every row that was read loads with it."""
    from ecom_platform.catalog import RESERVED
    from ecom_platform.feeds.inference.column_names import feed_name
    from ecom_platform.feeds.inference.said import SaidWords
    from ecom_platform.files.structured_drafting import draft_any

    _require_files(files)
    settings = load_settings()
    words = SaidWords.parse(said)
    name = name or feed_name(_stem(files[0].name), RESERVED)
    component = None if folder is None else _Component.of(folder, name)
    target = (settings.feeds_dir if component is None else component.feeds) / f"{name}.yaml"
    _require_new(target)
    drafted = draft_any(files, name, words, prove=prove)
    if component is not None:
        component.make()
    _write(target, drafted.draft.text())
    following = _next_command(name, files, component)
    if as_json:
        print_json({"success": True, **_drafted_as_json(drafted, target), "next": [following]})
    else:
        _print_drafted(drafted, target, following)
    return 0


def _stem(name: str) -> str:
    """A file's name without its endings."""
    bare = next((name.removesuffix(end) for end in (".gz", ".zst", ".zip") if name.endswith(end)), name)
    return bare.rpartition(".")[0] or bare


def _require_files(files: tuple[Path, ...]) -> None:
    """A pipe can be read once, and is read more often."""
    other = next((path for path in files if not path.is_file()), None)
    if other is not None:
        raise UsageError(f"{other} is a pipe or a device.", "Write it to a file, and take that.")


def _require_new(target: Path) -> None:
    there = next((path for path in (target, target.with_suffix(".yml")) if path.exists()), None)
    if there is not None:
        raise UsageError(
            f"{there} is there already, and is not replaced.",
            "Give another --name, or try the file against it: `ecom feeds check`.",
        )


@dataclass(frozen=True, slots=True)
class _Component:
    """A folder among the definitions of a Dagster project: its `defs.yaml`, and the folder ``feeds`` that it
    names. ``definitions`` is what ``ECOM_FEEDS_DIR`` has to be for `ecom` to know it."""

    file: Path
    feeds: Path
    definitions: Path

    @classmethod
    def of(cls, folder: Path, name: str) -> _Component:
        from ecom_platform.declarations import component_folders, declarations
        from ecom_platform.feeds.component_file import COMPONENT, COMPONENT_FILES

        whole = folder.absolute()
        definitions = next((one for one in whole.parents if one.name == "defs"), whole.parent)
        other = next((one for one in declarations(definitions) if one.name == name), None)
        if other is not None:
            raise UsageError(f"The feed {name} is declared in {other.source}.", "Give another --name.")
        file = next((folder / one for one in COMPONENT_FILES if (folder / one).exists()), None)
        if file is None:
            return cls(folder / COMPONENT_FILES[0], folder / "feeds", definitions)
        feeds = next(iter(component_folders(file)), None)
        if feeds is None:
            raise UsageError(
                f"{file} is there already, is not replaced, and names no folder of feeds.",
                f"Give another folder, or let it be `type: {COMPONENT}` with `attributes: {{feeds: feeds}}`.",
            )
        return cls(file, feeds, definitions)

    def make(self) -> None:
        """What is there already stays as it is. Killed in between, the next call goes on."""
        from ecom_platform.feeds.component_file import COMPONENT

        try:
            self.feeds.mkdir(parents=True, exist_ok=True)
            if not self.file.exists():
                with self.file.open("x", encoding="utf-8") as file:
                    file.write(f"type: {COMPONENT}\n\nattributes:\n  feeds: {self.feeds.name}\n")
        except OSError as error:
            raise StorageError(
                f"{self.file} cannot be written: {error.strerror or error}.", "Give another folder."
            ) from error


def _write(target: Path, text: str) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        _require_new(target)
        raise
    except OSError as error:
        raise StorageError(
            f"{target} cannot be written: {error.strerror or error}.", "Set ECOM_FEEDS_DIR to another folder."
        ) from error


def _next_command(name: str, files: tuple[Path, ...], component: _Component | None) -> str:
    copied = " ".join(shlex.quote(str(file)) for file in files)
    where = "" if component is None else f"ECOM_FEEDS_DIR={shlex.quote(_shown(component.definitions))} "
    return f"{where}ecom ingest --feed {name} {copied}"


def _shown(folder: Path) -> str:
    return str(folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder)


def _drafted_as_json(drafted: Drafted, target: Path) -> dict[str, Any]:
    feed, draft = drafted.feed, drafted.draft
    dialect = feed.dialect
    columns = [
        {
            "name": column.name,
            "from": drawn.source,
            "type": column.type,
            "null": column.nullable,
            "nulls": list(column.nulls),
            "time_format": list(column.time_formats) if column.type[:4] in ("date", "time") else None,
            "evidence": drawn.evidence,
            "doubts": list(drawn.doubts),
        }
        for column, drawn in zip(feed.columns, draft.columns, strict=True)
    ]
    return {
        "feed": feed.name,
        "format": feed.format,
        "declaration": str(target),
        "rows": drafted.rows,
        "whole": drafted.whole,
        "dialect": {
            "delimiter": dialect.delimiter,
            "quote": dialect.quote,
            "escape": dialect.escape,
            "decimal": dialect.decimal,
            "thousands": dialect.thousands,
            "encoding": list(dialect.encodings),
            "header": dialect.header,
            "skip": dialect.skip,
            "width": len(feed.columns),
        },
        "columns": columns,
        "primary_key": list(feed.primary_key),
        "identity": feed.identity,
        "key_candidates": drafted.candidates,
        "copies": drafted.keys.copies,
        "rejected": {str(reason): count for reason, count in drafted.unsplit.items()},
        "doubts": list(draft.doubts),
    }


def _print_drafted(drafted: Drafted, target: Path, following: str) -> None:
    from ecom_platform.cli.console import print_rows
    from ecom_platform.feeds.inference.amounts import amount
    from ecom_platform.feeds.inference.column_choice import NEVER_FILLED

    feed, dialect = drafted.feed, drafted.feed.dialect
    marks = [
        f"{word} {shown}"
        for word in ("delimiter", "quote", "escape", "decimal", "thousands")
        if (shown := _mark(getattr(dialect, word)))
    ]
    header = "header" if dialect.header else "no header"
    size = f"{amount(drafted.rows, 'row')}, {amount(len(feed.columns), 'column')}"
    written = f"{', '.join(marks)}, {header}, {' or '.join(dialect.encodings)}"
    click.echo(f"{size}: {written if feed.format == 'csv' else feed.format}", err=True)
    both = [*zip(feed.columns, drafted.draft.columns, strict=True)]
    empty = [column.name for column, drawn in both if drawn.evidence == NEVER_FILLED]
    grouped = empty if len(empty) >= _MANY_EMPTY else []
    print_rows(
        ("column", "type", "by"),
        [
            (column.name, f"{column.type}{' null' if column.nullable else ''}", _said_of(drawn))
            for column, drawn in both
            if column.name not in grouped
        ],
        names=2,
    )
    if grouped:
        click.echo(f"- never filled, so text null: {', '.join(grouped)}", err=True)
    for doubt in drafted.draft.doubts:
        click.echo(f"- {_printable(doubt)}", err=True)
    known = f"primary_key {', '.join(feed.primary_key)}" if feed.primary_key else f"identity {feed.identity}"
    click.echo(f"\nWritten: {target} ({known}). Read its comments, then:", err=True)
    click.echo(f"    {_printable(following)}", err=True)


def _said_of(drawn: Any) -> str:
    return "; ".join(_printable(text) for text in (drawn.evidence, *drawn.doubts))


def _mark(mark: str | None) -> str:
    return {None: "", "\t": "tab", " ": "blank"}.get(mark, mark or "")


def _printable(text: str) -> str:
    """Texts of a stranger, safe on a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


# -- check ---------------------------------------------------------------------------------------


@feeds.command()
@click.argument("name")
@click.argument("files", nargs=-1, required=True, type=_FILES, metavar="FILE…")
@json_option
def check(name: str, files: tuple[Path, ...], as_json: bool) -> int:
    """What of files would be loaded, what refused and why; loads nothing."""
    from ecom_platform.catalog import declared_feed
    from ecom_platform.files.rehearsal import rehearse

    _require_files(files)
    feed = declared_feed(load_settings(), name)
    found = [rehearse(feed, path) for path in files]
    fine = all(one.is_fine for one in found)
    if as_json:
        print_json({"success": fine, "feed": name, "files": [one.as_json() for one in found]})
    else:
        for one in found:
            _print_rehearsal(one)
    return 0 if fine else 1


def _print_rehearsal(one: Rehearsal) -> None:
    name = _printable(one.file)
    if one.unreadable is not None:
        click.echo(f"{name}: would be quarantined. {_printable(sentence(one.unreadable))} {one.remedy}")
        return
    rejected = sum(kind.rows for kind in one.refused.values())
    repeated = f", {one.repeated:,} with the key of one before them" if one.repeated else ""
    click.echo(f"{name}: {one.read:,} read, {one.loaded:,} would load{repeated}, {rejected:,} refused")
    for kind in one.refused.values():
        lines = ", ".join(f"{line:,}" for line in kind.lines)
        more = ", …" if kind.rows > len(kind.lines) else ""
        where = f"line{'' if kind.rows == 1 else 's'} {lines}{more}"
        if kind.column is None:
            click.echo(f"{kind.rows:>10,}  {kind.reason}, {where}: {kind.expected}")
            click.echo(f"{'':12}{_printable(kind.example.decode('utf-8', 'backslashreplace'))}")
        else:
            said = f"{kind.column} {_quoted(kind.value or '')} {_printable(kind.expected)}"
            click.echo(f"{kind.rows:>10,}  {kind.reason}, {where}: {said}")


def _quoted(value: str) -> str:
    """A value of a stranger, in quotes, cut where it is long."""
    return f"'{_printable(value[:_MOST_SHOWN])}{'…' if len(value) > _MOST_SHOWN else ''}'"


# -- list ----------------------------------------------------------------------------------------


@feeds.command("list")
@json_option
def list_feeds(as_json: bool) -> int:
    """The feeds that are declared, and what is wrong with declarations that cannot be used."""
    from ecom_platform.catalog import catalog
    from ecom_platform.cli.console import print_rows

    settings = load_settings()
    found = catalog(settings)
    listed = [_listed(found, name) for name in sorted({*found.feeds, *found.problems})]
    if as_json:
        print_json({"success": not found.problems, "feeds": listed})
    else:
        heads = ("feed", "table", "known by", "declared in", "state")
        shown = [tuple(str(_short(one)[key] or "") for key in _LISTED) for one in listed]
        print_rows(heads, shown, names=len(heads), result=True)
        for name, problem in found.problems.items():
            click.echo(f"{name}: {_printable(problem.message)}")
            click.echo("".join(f"    {line}\n" for line in problem.remedy.splitlines()), nl=False)
    return 1 if found.problems else 0


def _short(listed: dict[str, Any]) -> dict[str, Any]:
    """With a declaration of ours named, which nobody opens by its path."""
    from ecom_platform.feeds.packaged import PACKAGED

    own = listed["file"] in [str(path) for path in PACKAGED]
    return {**listed, "file": "ecom itself"} if own else listed


_LISTED = ("name", "table", "identity", "file", "state")


def _listed(found: Catalog, name: str) -> dict[str, Any]:
    from ecom_platform.feeds.packaged import PACKAGED

    source = found.sources.get(name)
    file = source or next((path for path in PACKAGED if path.stem == name), None)
    problem: FeedError | None = found.problems.get(name)
    feed = found.feeds.get(name)
    return {
        "name": name,
        "table": feed and f"{feed.schema}.{feed.table}" if feed and feed.schema else feed and feed.table,
        "identity": feed and _known_by(feed),
        "file": None if file is None else str(file),
        "state": "declared" if problem is None else "broken",
        "problem": None if problem is None else problem.as_json(),
    }


def _known_by(feed: Feed) -> str:
    if feed.identity:
        return feed.identity
    return f"{', '.join(feed.primary_key)}{', numbered' if feed.numbered else ''}"
