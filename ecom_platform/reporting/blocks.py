"""What pages are built of: cards and tables, as HTML.

Belongs here: a block whose content is given. Does not belong here: what is shown (``page``), plots (``svg``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def cards(shown: Iterable[tuple[str, str, str]]) -> str:
    items = "".join(
        f'<div class="card kpi"><span>{name}</span><b>{value}</b>{note}</div>' for name, value, note in shown
    )
    return f'<div class="cards">{items}</div>'


def card(title: str, content: str) -> str:
    heading = f"<h3>{title}</h3>" if title else ""
    return f'<section class="card">{heading}{content}</section>'


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """A table whose first ``words`` columns are words, the others numbers. Cells are HTML.

    The caption is read aloud; on the screen the card's heading says it.
    """

    def kind(at: int) -> str:
        return "" if at < words else ' class="n"'

    head = "".join(f'<th scope="col"{kind(at)}>{cell}</th>' for at, cell in enumerate(heads))
    body = "".join(
        f"<tr>{''.join(f'<td{kind(at)}>{cell}</td>' for at, cell in enumerate(row))}</tr>" for row in rows
    )
    return f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
