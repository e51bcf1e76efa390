"""A YAML document as texts with their places.

Belongs here: reading YAML so that nothing is guessed, and what is wrong with it as YAML. Does not belong
here: what the words mean (``words``).

Every scalar is the text that it is written as: ``NO``, ``010``, ``12:30``, ``1e3``, ``~`` and a date stay
themselves, quoted or not. A key that stands twice, an anchor, an alias, a tag and a second document are
errors: a declaration is read once by a person, and means what it says where it says it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

import yaml

from ecom_platform.errors import DeclarationError, Mistake

Path: TypeAlias = "tuple[str | int, ...]"

MAX_BYTES = 1 << 20


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Composes nodes; makes no values."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}


@dataclass(slots=True)
class Document:
    """``data``: dicts, lists and texts. ``lines``: where each of them begins, by its path, counted from 1."""

    file: str
    data: dict[str, Any]
    lines: dict[Path, int] = field(default_factory=dict)

    def line_of(self, path: Path) -> int:
        """Of the word at ``path``, or of what it would be in."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path, 1)

    def part(self, word: str, without: Collection[str] = ()) -> Document:
        """The mapping under ``word``, less some of its words, as a document; lines are those of the file."""
        data = {name: value for name, value in self.data[word].items() if name not in without}
        return Document(
            self.file, data, {path[1:]: n for path, n in self.lines.items() if path[:1] == (word,)}
        )


def read_document(text: bytes | str, file: str) -> Document:
    """The document in ``text``. Raises :class:`DeclarationError` with everything that is wrong with it as
    YAML."""
    reader = _NodeReader(file)
    root = reader.compose(_decoded(text, file))
    if root is None:
        raise _refused(file, 1, "it is empty", "See docs/feed-reference.md for what it has to say.")
    if not isinstance(root, yaml.MappingNode):
        raise _refused(file, _line(root), "it is no mapping of words to values", "Begin with `columns:`.")
    data = reader.value(root, ())
    if reader.problems:
        raise DeclarationError(reader.problems)
    return Document(file, data, reader.lines)


def read_documents(text: bytes | str, file: str) -> list[Document]:
    """The documents that ``---`` divides; one that is no mapping has no words. Raises
    :class:`DeclarationError` as :func:`read_document` does."""
    readers = []
    for node in _NodeReader(file).compose_all(_decoded(text, file)):
        reader = _NodeReader(file)
        data = reader.value(node, ()) if isinstance(node, yaml.MappingNode) else {}
        readers.append((reader, Document(file, data, reader.lines)))
    problems = [problem for reader, _ in readers for problem in reader.problems]
    if problems:
        raise DeclarationError(problems)
    return [document for _, document in readers]


def _decoded(text: bytes | str, file: str) -> str:
    try:
        decoded = text if isinstance(text, str) else text[: MAX_BYTES + 1].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text[: error.start].count(b"\n") + 1 if isinstance(text, bytes) else 1
        raise _refused(file, line, "it is not UTF-8", "Save it as UTF-8.") from error
    if len(decoded) > MAX_BYTES:
        raise _refused(file, 1, f"it is larger than {MAX_BYTES:,} bytes", "Is it the right file?")
    return decoded


class _NodeReader:
    def __init__(self, file: str) -> None:
        self._file = file
        self.lines: dict[Path, int] = {}
        self.problems: list[Mistake] = []

    def compose(self, text: str) -> yaml.Node | None:
        with self._told(text):
            node: yaml.Node | None = yaml.compose(text, Loader=_Loader)
        return node

    def compose_all(self, text: str) -> list[yaml.Node]:
        with self._told(text):
            return list(yaml.compose_all(text, Loader=_Loader))

    @contextmanager
    def _told(self, text: str) -> Iterator[None]:
        """Around a call of the parser: what it says, in our words."""
        try:
            # Anchors and the like are seen before a loader would follow them.
            for event in yaml.parse(text, Loader=_Loader):
                self._look_at(event)
            if self.problems:
                raise DeclarationError(self.problems)
            yield
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            said = " ".join(part for part in (error.context, error.problem) if part)
            raise _refused(
                self._file, mark.line + 1 if mark else 1, f"it is no YAML: {said}", _remedy(said)
            ) from error
        except yaml.YAMLError as error:
            raise _refused(self._file, 1, f"it is no YAML: {str(error).splitlines()[0]}", _REMEDY) from error

    def _look_at(self, event: yaml.Event) -> None:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            self._wrong(line, f"*{event.anchor} refers to another place", "Write it out.")
        elif getattr(event, "anchor", None):
            self._wrong(line, f"&{event.anchor} names a place to refer to", "Leave it out, and write it out.")
        elif getattr(event, "tag", None):
            self._wrong(line, f"{event.tag} is a tag", "Leave it out: every value is the text that it is.")

    def _wrong(self, line: int, message: str, remedy: str) -> None:
        self.problems.append(Mistake(self._file, line, message, remedy))

    def value(self, node: yaml.Node, path: Path) -> Any:
        self.lines.setdefault(path, _line(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, number)) for number, item in enumerate(node.value)]
        return node.value

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            name = key.value
            if not isinstance(key, yaml.ScalarNode):
                self._wrong(_line(key), "a list or a mapping stands where a name belongs", "Write a name.")
            elif name in found:
                first = self.lines[*path, name]
                self._wrong(
                    _line(key), f"{name} stands twice, first in line {first}", "Leave one of them out."
                )
            else:
                self.lines[*path, name] = _line(key)
                found[name] = self.value(value, (*path, name))
        return found


_REMEDY = "Indent with blanks, and put in quotes what has `: `, ` #`, a comma, a bracket or a brace in it."
# By a part of what the parser says.
_REMEDIES = {
    "'%' that cannot start": 'Put what begins with % in quotes: "%d.%m.%Y".',
    "'\\t' that cannot start": "Indent with blanks, not with tabs.",
    "cannot start any token": "Put what begins with this character in quotes.",
    "but found ','": 'Put what is a comma, or begins with one, in quotes: ",".',
    "scanning a quoted scalar": 'Close the quote; one that is meant stands in others: "\'".',
}


def _remedy(said: str) -> str:
    return next((remedy for part, remedy in _REMEDIES.items() if part in said), _REMEDY)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _refused(file: str, line: int, message: str, remedy: str) -> DeclarationError:
    return DeclarationError([Mistake(file, line, message, remedy)])
