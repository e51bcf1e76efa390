"""Files that somebody names, to land as files of a feed.

Belongs here: which can be brought in, and as whose. Does not belong here: copying them
(``landing_places``, ``bucket.object_arriving``), or claiming them.
"""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

from ecom_platform.errors import UsageError
from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.landing.landed import MAX_NAME_BYTES, unfinished_by


def require_files(files: Sequence[Path]) -> None:
    """Raises :class:`UsageError` for the first that cannot be brought in."""
    for path in files:
        reason = _why_not(path)
        if reason:
            raise UsageError(f"{path} is not brought in: {reason}.", "Nothing was copied. Name another file.")


def folder_of_feed(feed: str) -> str:
    """Where files of this feed land: nothing, or a folder with a slash."""
    return "" if feed == TOP_FEED else f"{feed}/"


def _why_not(path: Path) -> str:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return "it is no file"
        path.open("rb").close()
    except OSError as error:
        return error.strerror or str(error)
    mark = unfinished_by(path.name)
    if mark is not None:
        return f"its name says that it is not finished ({mark})"
    try:
        too_long = len(path.name.encode()) > MAX_NAME_BYTES
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    return "its name is too long" if too_long else ""
