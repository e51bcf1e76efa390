"""Where declarations stand: in the folder of declarations, and in files of Dagster's components below it.

Belongs here: finding them, and reading one. Does not belong here: which of all of them can be used together
(``catalog``), what a declaration may say (``feeds``), or Dagster: `ecom` finds what Dagster finds.

``ECOM_FEEDS_DIR`` may be a folder of `NAME.yaml`, or the folder of definitions of a Dagster project: its
`defs.yaml`, at whatever depth, are looked through for the type ``FeedComponent``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ecom_platform.errors import DeclarationError, FeedError, Mistake
from ecom_platform.feeds.component_file import (
    COMPONENT,
    COMPONENT_FILES,
    ComponentFeeds,
    is_component_file,
    read_component_file,
)
from ecom_platform.feeds.declaring import NAME, declared_feed, read_feed
from ecom_platform.feeds.feed import Feed

_ENDS = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Source:
    """``path`` is the file. In a file of components ``number`` counts its documents; ``None`` where the
    declaration has the file to itself, and where the file of components cannot be read."""

    path: Path
    number: int | None = None

    @property
    def is_shared(self) -> bool:
        """Whether more stands in the file than the declaration."""
        return self.number is not None

    def __str__(self) -> str:
        return f"{self.path} (document {self.number + 1})" if self.number else str(self.path)


@dataclass(frozen=True, slots=True)
class Declaration:
    """A declaration, by the name of its feed; ``problem`` where that is known not to be usable."""

    name: str
    source: Source
    problem: FeedError | None = None

    def read(self, reserved: Collection[str]) -> Feed:
        """The feed. Raises :class:`FeedError`; ``reserved`` are names that it must not have."""
        if self.problem is not None:
            raise self.problem
        kept = frozenset(reserved)
        content = _content(self.source.path)
        if self.source.number is None:
            return _feed_of_file(self.source.path, content, kept)
        return _feed_of_component(self.source.path, content, self.source.number, kept)


def declarations(folder: Path) -> list[Declaration]:
    """All of ``folder``: its own files, then those of components below it; a name may occur twice."""
    below = [found for path in _component_files(folder) for found in _of_file(path)]
    known = {found.source.path.resolve() for found in below}
    own = [
        Declaration(path.stem, Source(path))
        for path in _yaml_files(folder)
        if path.resolve() not in known and not _is_component_file(path)
    ]
    return [*own, *below]


def declared_names(folder: Path) -> set[str]:
    """The names of the feeds that have a declaration in the folder, whether it can be used."""
    return {found.name for found in declarations(folder) if NAME.fullmatch(found.name)}


def of_component(file: Path, number: int) -> list[Declaration]:
    """Those of one component: document ``number`` of a file of components."""
    return [found for feeds in _said_in(file) if feeds.number in (number, None) for found in _of(file, feeds)]


def is_read(file: Path, number: int) -> bool:
    """Whether that document is a component as we know it: by the one name of its type."""
    return any(said.number in (number, None) for said in _said_in(file))


def folders(folder: Path) -> list[Path]:
    """Those whose files are declarations: ``folder`` itself, and those that components below it name."""
    named = (found for file in _component_files(folder) for found in component_folders(file))
    return list(dict.fromkeys([folder, *named]))


def component_folders(file: Path) -> list[Path]:
    """The folders of declarations that a file of components names."""
    return [file.parent / said.folder for said in _said_in(file) if said.folder is not None]


def _of_file(file: Path) -> Iterator[Declaration]:
    for feeds in _said_in(file):
        yield from _of(file, feeds)


def _of(file: Path, said: ComponentFeeds) -> Iterator[Declaration]:
    # What has no name of its own is called as its folder is, so that it is an asset which says what is wrong.
    called = _called(said.name or f"{file.parent.name}_{said.number + 1 if said.number else ''}")
    if said.problem is not None:
        yield Declaration(called, Source(file, said.number), said.problem)
    elif said.folder is None:
        yield Declaration(called, Source(file, said.number))
    else:
        folder = file.parent / said.folder
        if not folder.is_dir():
            mistake = Mistake(
                str(file),
                said.line,
                f"feeds is {said.folder!r}, and there is no folder {folder}",
                "Make it, or name another; it is looked for beside this file.",
            )
            yield Declaration(called, Source(file, said.number), DeclarationError([mistake]))
            return
        for path in _yaml_files(folder):
            if not _is_component_file(path):
                yield Declaration(path.stem, Source(path))


def _called(said: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "_", said.lower()).strip("_")[:41]
    return name if NAME.fullmatch(name) else "feeds_of_a_component"


def _component_files(folder: Path) -> Iterator[Path]:
    """Those in ``folder`` and below it, in a fixed order. A folder of declarations with folders of other
    things in it, samples perhaps, is not looked through: this is asked at every tick."""
    plain = any(path.name not in COMPONENT_FILES for path in _yaml_files(folder))
    looked_through = not plain or (folder / "__init__.py").exists()
    seen: set[str] = set()
    # As Dagster follows links.
    for parent, below, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        skipped = real in seen or not looked_through
        seen.add(real)
        below[:] = [] if skipped else sorted(n for n in below if not n.startswith((".", "__pycache__")))
        file = next((name for name in COMPONENT_FILES if name in names), None)
        if file is not None and (not skipped or parent == str(folder)):
            yield Path(parent) / file


def _said_in(file: Path) -> list[ComponentFeeds]:
    try:
        content = file.read_bytes()
    except OSError:
        return []  # nobody knows whose it is; Dagster says that it cannot be read
    return _read_components(file, content) if COMPONENT.encode() in content else []


@lru_cache(maxsize=256)
def _read_components(file: Path, content: bytes) -> list[ComponentFeeds]:
    return read_component_file(content, str(file))


def _is_component_file(path: Path) -> bool:
    if path.name not in COMPONENT_FILES:
        return False
    try:
        return is_component_file(path.read_text("utf-8-sig", "replace"))
    except OSError:
        return False


def _yaml_files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix in _ENDS)
    except OSError:
        return []


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FeedError(f"{path} cannot be read: {error.strerror or error}.", "Make it readable.") from error


# Declarations are asked for again and again; reading one takes milliseconds.
@lru_cache(maxsize=1024)
def _feed_of_file(path: Path, content: bytes, reserved: frozenset[str]) -> Feed:
    return read_feed(content, str(path), path.stem, reserved)


@lru_cache(maxsize=1024)
def _feed_of_component(path: Path, content: bytes, number: int, reserved: frozenset[str]) -> Feed:
    said = next((one for one in _read_components(path, content) if one.number == number), None)
    if said is None or said.declaration is None or said.name is None:
        raise FeedError(f"{path} was changed while it was read.", "Try again.")
    return declared_feed(said.declaration, said.name, reserved)
