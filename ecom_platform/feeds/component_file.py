"""A file of Dagster's components, `defs.yaml`, read for the declarations that it has or points at.

Belongs here: from its text to what each ``FeedComponent`` in it says, or what is wrong with that. Does not
belong here: Dagster, which reads the file for itself; where such files are (``declarations``).

It is read as any declaration is, every scalar as the text that it is written as. What Dagster's own reader
makes of ``010``, ``NO`` and ``12:30``, and templates in braces, have no part in it: `ecom` and Spark's tasks
know the same declaration without Dagster.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ecom_platform.errors import DeclarationError, Mistake
from ecom_platform.feeds.document import Document, Path, read_documents

COMPONENT = "ecom_platform.components.FeedComponent"
# As Dagster calls them, the first before the second.
COMPONENT_FILES = ("defs.yaml", "defs.yml")
_IN_BRACES = re.compile(r"\{\{.*\}\}|\{%.*%\}", re.DOTALL)
_TYPE = re.compile(r"^type:", re.MULTILINE)
_COLUMNS = re.compile(r"^columns:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ComponentFeeds:
    """What one component says: a declaration and its feed's name, or a folder of declarations; or what is
    wrong with it. ``number`` is the document's in its file, ``None`` where the file cannot be read at all;
    ``line`` is where it says which."""

    number: int | None
    name: str | None = None
    declaration: Document | None = None
    folder: str | None = None
    line: int = 1
    problem: DeclarationError | None = None


def is_component_file(text: str) -> bool:
    """Whether it is a file of components, whoever's, and not the declaration of a feed called ``defs``."""
    return _TYPE.search(text) is not None and _COLUMNS.search(text) is None


def read_component_file(text: bytes | str, file: str) -> list[ComponentFeeds]:
    """What each ``FeedComponent`` in it says, in their order; others' components are left alone. ``text`` has
    the name of the type somewhere."""
    try:
        documents = read_documents(text, file)
    except DeclarationError as error:
        return [ComponentFeeds(None, problem=error)]
    return [
        _said_by(number, document)
        for number, document in enumerate(documents)
        if document.data.get("type") == COMPONENT
    ]


def _said_by(number: int, document: Document) -> ComponentFeeds:
    attributes = document.data.get("attributes")
    problems = list(_mistakes(document, attributes))
    if problems:
        name = attributes.get("name") if isinstance(attributes, dict) else None
        name = name if isinstance(name, str) else None
        return ComponentFeeds(number, name, problem=DeclarationError(problems))
    said: dict[str, Any] = document.data["attributes"]
    if "feeds" in said:
        line = document.line_of(("attributes", "feeds"))
        return ComponentFeeds(number, folder=said["feeds"], line=line)
    return ComponentFeeds(number, said["name"], document.part("attributes", without=("name",)))


def _mistakes(document: Document, attributes: Any) -> Iterator[Mistake]:
    def wrong(path: Path, message: str, remedy: str) -> Mistake:
        return Mistake(document.file, document.line_of(path), message, remedy)

    if not isinstance(attributes, dict) or not attributes:
        yield wrong(
            ("attributes",),
            "attributes is missing" if attributes in (None, "") else "attributes is no mapping",
            "Say `attributes: {feeds: FOLDER}`, or write `name:`, `columns:` and so on below it.",
        )
        return
    for path, value in _texts(attributes, ("attributes",)):
        if _IN_BRACES.search(value):
            shown = ".".join(str(part) for part in path[1:])
            yield wrong(
                path,
                f"{shown}: {value!r} is a template, and none is filled in here",
                "Write the value out. What has such braces itself belongs into a file of its own "
                "(`feeds: FOLDER`).",
            )
    word = "feeds" if "feeds" in attributes else "name"
    said = attributes.get(word)
    if said is None:
        yield wrong(
            ("attributes",),
            "name is missing",
            "Say `name: …`, which asset, table and landing folder are called; or `feeds: FOLDER`.",
        )
    elif not isinstance(said, str) or not said:
        kind = "empty" if said == "" else "a list" if isinstance(said, list) else "a mapping"
        yield wrong(("attributes", word), f"{word} is {kind}", f"Say `{word}: …`, one text.")
    elif word == "feeds" and len(attributes) > 1:
        other = next(name for name in attributes if name != "feeds")
        yield wrong(
            ("attributes", other),
            f"{other} stands beside feeds",
            "A component has a folder of declarations, or is one itself.",
        )


def _texts(value: Any, path: Path) -> Iterable[tuple[Path, str]]:
    """Every text in ``value``, names too, with its place."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _texts(item, (*path, number))
    else:
        for name, item in value.items():
            yield (*path, name), name
            yield from _texts(item, (*path, name))
