"""Files that somebody names, copied into the landing folder as files of a feed.

Belongs here: letting them land whole, all of them or none. Does not belong here: claiming them (``claim``),
or putting them into a bucket (``bucket.object_arriving``).
"""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

from ecom_platform.errors import UsageError
from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.landing.no_replace import place
from ecom_platform.landing.scan import MAX_NAME_BYTES, unfinished_by
from ecom_platform.landing.zone import LandingZone


def bring_in(zone: LandingZone, feed: str, files: Sequence[Path]) -> list[str]:
    """Copy ``files`` into the feed's folder, and return the names under which they landed.

    What is there is not replaced: another file of a name lands under a name of its own. Raises
    :class:`UsageError` before anything is copied.
    """
    require_files(files)
    folder = folder_of_feed(feed)
    return [place(path.resolve(), zone.landing, [folder + path.name]) for path in files]


def require_files(files: Sequence[Path], largest: int | None = None) -> None:
    """Raises :class:`UsageError` for the first that cannot be brought in."""
    for path in files:
        reason = _why_not(path)
        if not reason and largest is not None and path.stat().st_size > largest:
            reason = f"it is larger than {largest // 1024**3} GiB"
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
