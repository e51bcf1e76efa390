"""How many of something, in words.

Belongs here: one and several. Does not belong here: what is counted.
"""

from __future__ import annotations


def amount(count: int, one: str, several: str = "") -> str:
    """``1 row`` or ``2,000 rows``; ``several`` where it is not ``one`` with an s."""
    return f"{count:,} {one if count == 1 else several or f'{one}s'}"
