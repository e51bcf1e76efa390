"""Names of what is ours: the number first, then the name that it landed by.

Belongs here: reading such a name, in a folder or in a key of a bucket, and by which names what bears it may
land again. Does not belong here: where it lies (``folder.zone``, ``bucket.bucket_zone``), or making one
(``store.outcome``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ecom_platform.landing.landed import MAX_NAME_BYTES
from ecom_platform.store.outcome import base

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_LARGEST = (1 << 63) - 1
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
REASON_SUFFIX = ".reason.txt"
# No ledger comes that far. To go on above it would leave no room for the numbers after it.
LARGEST_NUMBER = 10**15


def numbered(name: str) -> tuple[int, str] | None:
    """Number and name of a file that we have named, ``<file_id>-<name>``; ``None`` for any other."""
    digits, _, rest = name.partition("-")
    number = file_number(digits)
    return (number, rest) if number is not None and rest else None


def file_number(text: str) -> int | None:
    """The number that ``text`` is, if PostgreSQL can store it and a ledger would write it like this."""
    return int(text) if _NUMBER.fullmatch(text) and int(text) <= _LARGEST else None


def is_day(name: str) -> bool:
    """Whether a folder of the archive is a day."""
    return _DAY.fullmatch(name) is not None


def landing_folder(folders: Sequence[str]) -> str:
    """Where a file lands again, for whoever has only the names of the ``folders`` to go by in which it lies
    below ``claimed``, ``archive`` or ``quarantine``: nothing, or the folder of its feed with a slash."""
    return "" if not folders or is_day(folders[0]) else f"{folders[0]}/"


def prefixed(prefix: str, name: str) -> str:
    """``name`` after ``prefix`` and a dash; of a long name the end, which says how to read it."""
    room = MAX_NAME_BYTES - len(prefix.encode()) - 1
    return f"{prefix}-{name.encode()[-room:].decode(errors='ignore')}"


def landing_names(file_id: int, name: str) -> tuple[str, str]:
    """As what a file may land again: its own name, or the numbered one where that is taken."""
    folder = name.removesuffix(base(name))
    return name, folder + prefixed(str(file_id), base(name))
