"""A declaration's text with one column more, everything else as somebody has written it.

Belongs here: where in the YAML the column goes, and that nothing else is said by the new text. Does not
belong here: what a declaration may say (``declaring``), or the file.
"""

from __future__ import annotations

import yaml

from ecom_platform.errors import UsageError
from ecom_platform.feeds.document import read_document
from ecom_platform.feeds.inference.flow_yaml import flow, scalar


def with_column(text: str, file: str, name: str, words: dict[str, str]) -> str:
    """``text`` with the column ``name`` behind the others; ``words`` are what is said of it.

    Raises :class:`DeclarationError` for what is no declaration, and :class:`UsageError` where its form leaves
    no place.
    """
    read_document(text, file)  # says what is wrong with it as YAML
    columns = _value_of(text, "columns")
    said = scalar(words["type"]) if words.keys() == {"type"} else flow(words)
    if columns is None or not isinstance(columns, yaml.MappingNode) or not columns.value:
        raise _no_place(file, name, said)
    if columns.flow_style:
        # Behind the last value, which stands before the closing brace.
        end = columns.value[-1][1].end_mark.index
        return f"{text[:end]}, {name}: {said}{text[end:]}"
    last_key, last = columns.value[-1]
    line_end = text.find("\n", _end_of(text, last))
    before = text if line_end < 0 else text[:line_end]
    after = "" if line_end < 0 else text[line_end:]
    return f"{before}\n{' ' * last_key.start_mark.column}{name}: {said}{after or chr(10)}"


def with_word(text: str, word: str, value: str) -> str:
    """``text`` with a word of the feed as ``value``, in the place of what it says of it."""
    node = _value_of(text, word)
    if node is None:
        return f"{text}{'' if text.endswith(chr(10)) else chr(10)}{word}: {scalar(value)}\n"
    return text[: node.start_mark.index] + scalar(value) + text[node.end_mark.index :]


def _value_of(text: str, word: str) -> yaml.Node | None:
    root = yaml.compose(text, Loader=yaml.BaseLoader)
    return next((value for key, value in root.value if key.value == word), None)


def _end_of(text: str, node: yaml.Node) -> int:
    """Where a value of a block ends. A nested block has its mark at the next word, behind what is between."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        return _end_of(text, node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style:
        return _end_of(text, node.value[-1])
    return len(text[: node.end_mark.index].rstrip())


def _no_place(file: str, name: str, said: str) -> UsageError:
    return UsageError(
        f"{file} has no list of columns to which {name} could be added.",
        f"Write `{name}: {said}` below `columns:` yourself, then run the command again.",
    )
