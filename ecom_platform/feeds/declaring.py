"""From the text of a declaration to the feed that it declares, or to everything that is wrong with it.

Belongs here: bringing document, words and rules together, and putting mistakes into sentences. Does not
belong here: any of the three; files (``catalog``).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from ecom_platform.errors import DeclarationError, Mistake
from ecom_platform.feeds.document import Document, Path, read_document
from ecom_platform.feeds.feed import Column, Concat, Dialect, Feed, When
from ecom_platform.feeds.rules import broken_rules
from ecom_platform.feeds.type_names import column_type
from ecom_platform.feeds.words import ColumnWords, ConcatWords, FeedWords

NAME = re.compile(r"[a-z][a-z0-9_]{0,40}", re.ASCII)
# What a table has beside the declared columns.
RESERVED_COLUMNS = frozenset({"file_id", "ingested_at", "row_id", "extra", "line_number"})
_COLUMN = re.compile(r"[a-z_][a-z0-9_]{0,62}", re.ASCII)
# A type that has a comma, as braces cut it.
_CUT_START = re.compile(r"(?:numeric|decimal)\s*\(\s*[0-9]+\s*", re.IGNORECASE)
_CUT_END = re.compile(r"[0-9]+\s*\)(\s+(not )?null)?", re.IGNORECASE)
# PostgreSQL's limit, without our own columns.
_MOST_COLUMNS = 1_590


def read_feed(text: bytes | str, file: str, name: str, reserved: Collection[str] = ()) -> Feed:
    """The feed ``name`` that ``text`` declares; ``file`` is how mistakes call it.

    ``reserved`` are names that a feed must not have. Raises :class:`DeclarationError` with every mistake.
    """
    return declared_feed(read_document(text, file), name, reserved)


def declared_feed(document: Document, name: str, reserved: Collection[str] = ()) -> Feed:
    """The same of a document that is read already."""
    data, problems = _rejoined(document)
    data = _written_out(data)
    problems += [*_wrong_name(document, name, reserved), *_wrong_columns(document, data)]
    try:
        words = FeedWords.model_validate(data)
    except ValidationError as error:
        problems += _wrong_words(document, error)
        raise DeclarationError(sorted(problems, key=lambda problem: problem.line)) from error
    if not problems:
        feed = _feed(words, name)
        problems += [
            Mistake(document.file, document.line_of(path), message, remedy)
            for path, message, remedy in broken_rules(feed, words)
        ]
    if problems:
        raise DeclarationError(sorted(problems, key=lambda problem: problem.line))
    return feed


def _wrong_name(document: Document, name: str, reserved: Collection[str]) -> Iterable[Mistake]:
    line = document.lines.get(("name",), 1)
    if not NAME.fullmatch(name):
        yield Mistake(
            document.file,
            line,
            f"{name!r} is no name of a feed",
            "A name (of the file, or --name) is a letter, then lower-case letters, digits, _: 41 at most.",
        )
    elif name in reserved:
        yield Mistake(
            document.file, line, f"{name} is the name of a table or an asset of ours", "Choose another."
        )


def _rejoined(document: Document) -> tuple[dict[str, Any], list[Mistake]]:
    """With ``numeric(12,2)`` as one type where braces made two words of it, each of which is a mistake."""
    columns = document.data.get("columns")
    if not isinstance(columns, dict):
        return document.data, []
    cut: list[tuple[Path, str]] = []
    whole: dict[str, Any] = {}
    for name, value in _joined(columns, ("columns",), cut).items():
        whole[name] = _joined(value, ("columns", name), cut) if isinstance(value, dict) else value
    problems = [
        Mistake(
            document.file,
            document.line_of(path),
            f"{'.'.join(str(part) for part in path)}: {kind} is cut at its comma",
            f'In braces, quote it: "{kind}".',
        )
        for path, kind in cut
    ]
    return {**document.data, "columns": whole}, problems


def _joined(words: dict[str, Any], path: Path, cut: list[tuple[Path, str]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    last = ""
    for name, value in words.items():
        if value == "" and _CUT_END.fullmatch(name) and _CUT_START.fullmatch(str(found.get(last))):
            found[last] = f"{found[last]},{name}"
            cut.append(((*path, last), found[last]))
        else:
            found[name] = value
            last = name
    return found


def _written_out(data: dict[str, Any]) -> dict[str, Any]:
    """With ``name: type`` as ``name: {type: …}``."""
    columns = data.get("columns")
    if not isinstance(columns, dict):
        return data
    full = {name: {"type": value} if isinstance(value, str) else value for name, value in columns.items()}
    return {**data, "columns": full}


# -- mistakes ------------------------------------------------------------------------------------


def _wrong_words(document: Document, error: ValidationError) -> Iterable[Mistake]:
    for found in error.errors():
        path = _path(found["loc"])
        line = document.line_of(path)
        yield Mistake(document.file, line, *_sentence(path, found["type"], found))


def _path(loc: tuple[str | int, ...]) -> Path:
    """Without what pydantic adds for keys and for choices."""
    return tuple(part for part in loc if part not in ("[key]",) and not str(part).startswith("function-"))


def _sentence(path: Path, kind: str, found: Any) -> tuple[str, str]:
    shown = ".".join(str(part) for part in path)
    if kind == "missing":
        return f"{shown} is missing", f"Say `{path[-1]}: …`."
    if kind == "extra_forbidden":
        known = _known_words(path[:-1])
        close = difflib.get_close_matches(str(path[-1]), known, 1)
        hint = f"Did you mean {close[0]}?" if close else f"Known are {', '.join(sorted(known))}."
        return f"{shown} is no word that is known", hint
    if kind == "literal_error":
        return f"{shown} is {found['input']!r}", f"It may be {found['ctx']['expected']}."
    message = str(found["msg"]).removeprefix("Value error, ")
    if kind in ("string_type", "list_type", "dict_type", "model_type", "model_attributes_type"):
        wanted = {"string_type": "a text", "list_type": "a text or a list of texts"}.get(kind, "a mapping")
        return f"{shown} is {_described(found['input'])}", f"Write {wanted}."
    return f"{shown}: {message}", "Correct it, or leave the word out."


def _described(value: Any) -> str:
    return "a list" if isinstance(value, list) else "a mapping" if isinstance(value, dict) else f"{value!r}"


def _known_words(path: Path) -> list[str]:
    model = FeedWords if not path else ConcatWords if path[-1] == "concat" else ColumnWords
    return [_word(name, field) for name, field in model.model_fields.items()]


def _word(name: str, field: FieldInfo) -> str:
    return field.alias or name


def _wrong_columns(document: Document, data: dict[str, Any]) -> Iterable[Mistake]:
    columns = data.get("columns")
    if not isinstance(columns, dict):
        return  # which is said as that
    if not 1 <= len(columns) <= _MOST_COLUMNS:
        yield Mistake(
            document.file,
            document.line_of(("columns",)),
            f"there are {len(columns)} columns",
            f"A table has 1 to {_MOST_COLUMNS}.",
        )
    for name, column in columns.items():
        line = document.line_of(("columns", name))
        kind = column.get("type") if isinstance(column, dict) else None
        try:
            if isinstance(kind, str):
                column_type(kind)
        except ValueError as error:
            line_of_type = document.line_of(("columns", name, "type"))
            message, remedy = error.args
            yield Mistake(document.file, line_of_type, f"columns.{name}.type: {message}", remedy)
        if name in RESERVED_COLUMNS:
            yield Mistake(
                document.file, line, f"{name} is a column of ours", f"Say `{name}_: {{from: {name}, …}}`."
            )
        elif not _COLUMN.fullmatch(name):
            meant = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:63] or "a_name"
            meant = f"_{meant}" if meant[0].isdigit() else meant
            yield Mistake(
                document.file,
                line,
                f"{name!r} is no name of a column: lower-case letters, digits and _, 63 at most",
                f"Say `{meant}: {{from: {name!r}, type: …}}`.",
            )


# -- what is right -------------------------------------------------------------------------------


def _feed(words: FeedWords, name: str) -> Feed:
    schema, _, table = (words.table or name).rpartition(".")
    return Feed(
        name=name,
        columns=tuple(_column(key, column, words) for key, column in words.columns.items()),
        table=table,
        schema=schema or None,
        about=words.about,
        owners=tuple(words.owners),
        freshness=words.freshness,
        reject_share=words.reject_share,
        format=words.format,
        dialect=Dialect(
            delimiter=words.delimiter or "",
            quote=words.quote,
            escape=words.escape,
            decimal=words.decimal or "",
            thousands=words.thousands,
            encodings=tuple(words.encoding),
            header=words.header,
            skip=words.skip,
            width=words.width,
        ),
        extra=words.extra,
        missing=words.missing,
        primary_key=tuple(words.primary_key or ()),
        numbered=words.numbered,
        identity=words.identity,
        on_conflict=words.on_conflict or "reject",
        version=words.version,
        explode=words.explode,
        checks=dict(words.checks),
        roles={str(role): column for role, column in words.roles.items()},
    )


def _column(name: str, column: ColumnWords, words: FeedWords) -> Column:
    kind, nullable = column_type(column.type)
    concat = column.concat
    return Column(
        name=name,
        type=kind,
        nullable=nullable,
        sources=tuple(column.from_ or ()),
        concat=None if concat is None else Concat(tuple(concat.columns), concat.with_),
        at=column.at,
        time_formats=tuple(column.time_format),
        zone=column.zone or "UTC",
        fold=column.fold,
        trim=column.trim,
        remove=column.remove,
        nulls=tuple(words.nulls if column.nulls is None else column.nulls),
        values=tuple(column.in_ or ()),
        minimum=column.min,
        maximum=column.max,
        greater_than=column.greater_than,
        match=column.match,
        required_when=_whens(column.required_when),
        absent_when=_whens(column.absent_when),
        about=column.about,
    )


def _whens(said: dict[str, list[str]] | None) -> tuple[When, ...]:
    return tuple(When(column, tuple(values)) for column, values in (said or {}).items())
