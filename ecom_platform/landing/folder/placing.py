"""Files at the top of the landing folder: each to the feed whose header it has, or it waits.

Belongs here: which of them are whose, remembered from look to look, and the move into the folder of a feed.
Does not belong here: the decision by a header (``files.belonging``), looking (``watch``), or claiming
(``claim``).

A file of the first feed stays where it is. One of another feed is moved into that feed's folder before it is
claimed, by a name that replaces nothing: killed after the move, the next look finds it there. One that is of
no feed stays where it is, and is claimed by nobody until a declaration takes it or somebody moves it.
"""

from __future__ import annotations

import logging
import os
import shlex
import stat
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path

from ecom_platform.errors import sentence
from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.files.belonging import Belonging, FeedFinder
from ecom_platform.files.misfits import Misfit
from ecom_platform.landing.folder.no_replace import move
from ecom_platform.landing.folder.scan import LOOK_INTERVAL_SECONDS, look
from ecom_platform.landing.landed import LandedFile, Scan
from ecom_platform.store.outcome import Stamp

log = logging.getLogger(__name__)

# Beyond what one look needs, judgements of files that have gone are forgotten.
_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class Sorted:
    """Files that may be claimed, and those that wait, each with what it looks like and what to do.

    ``here`` are of the first feed or lie in the folder of theirs. ``elsewhere`` are at the top and of another
    feed, which is beside each. ``at_top`` are the names of all whose header was looked at.
    """

    here: list[LandedFile] = field(default_factory=list)
    elsewhere: list[tuple[LandedFile, str]] = field(default_factory=list)
    waiting: dict[str, str] = field(default_factory=dict)
    at_top: list[str] = field(default_factory=list)

    @property
    def expected(self) -> dict[str, LandedFile]:
        """All that may be claimed: by present names, under those that they are to have in the ledger."""
        placed = {file.name: replace(file, name=f"{feed}/{file.name}") for file, feed in self.elsewhere}
        return {file.name: file for file in self.here} | placed


@dataclass(slots=True)
class _Judgements:
    """What was found of the files of a folder by these declarations. Each is read once."""

    feeds: dict[str, Feed]
    finder: FeedFinder
    found: dict[str, tuple[Stamp, Belonging]] = field(default_factory=dict)


# By landing folder: sensors and checks look at the same files again and again.
_remembered: dict[Path, _Judgements] = {}


class Placing:
    """The landing folder ``landing`` and the feeds that are declared. ``whole`` names files that this program
    has made itself: they are of the first feed."""

    def __init__(self, landing: Path, feeds: Mapping[str, Feed], whole: Collection[str] = ()) -> None:
        self._landing, self._whole = landing, whole
        judged = _remembered.get(landing)
        if judged is None or judged.feeds != feeds:
            judged = _remembered[landing] = _Judgements(dict(feeds), FeedFinder(feeds.values()))
        self._judged = judged

    def sort(self, settled: Iterable[LandedFile], seconds: float = inf) -> Sorted:
        """Whose each of these files is, all that a look has found at rest; nothing is moved.

        When ``seconds`` have passed no other header is read: such files are in none of the lists, and are
        looked at the next time.
        """
        found = self._sorted(settled, time.monotonic() + seconds)
        known = self._judged.found
        if len(known) > len(found.at_top) + _KEPT:
            self._judged.found = {name: known[name] for name in found.at_top if name in known}
        return found

    def _sorted(self, settled: Iterable[LandedFile], deadline: float = inf) -> Sorted:
        found = Sorted()
        for file in settled:
            if "/" in file.name or file.name in self._whole:
                found.here.append(file)
                continue
            belonging = self._known(file)
            if belonging is None:
                if time.monotonic() > deadline:
                    continue
                belonging = self._judged.finder.feed_of_file(self._landing / file.name)
                self._judged.found[file.name] = (file.stamp, belonging)
            found.at_top.append(file.name)
            if belonging.feed == TOP_FEED:
                found.here.append(file)
            elif belonging.feed is not None:
                found.elsewhere.append((file, belonging.feed))
            elif belonging.misfit is not None:
                found.waiting[file.name] = self._sentence(file.name, belonging.misfit)
        return found

    def place(self, found: Scan) -> tuple[Scan, dict[str, str]]:
        """``found`` without the files that wait, those of other feeds moved into their folders; and what
        waits. Whoever calls this holds the ingest lock."""
        by_feed = self._sorted(found.settled)
        moved, refused = self._move(by_feed)
        there = {file.name: file for file in by_feed.here} | moved
        settled = [there[file.name] for file in found.settled if file.name in there]
        for name in there:
            self._judged.found.pop(name, None)  # it is about to be claimed
        return replace(found, settled=settled, refused={**found.refused, **refused}), by_feed.waiting

    def _move(self, by_feed: Sorted) -> tuple[dict[str, LandedFile], dict[str, str]]:
        """Move files into the folders of their feeds: what each is there, by its name at the top, and why
        others could not be moved."""
        moved: dict[str, LandedFile] = {}
        refused: dict[str, str] = {}
        for file, feed in by_feed.elsewhere:
            try:
                folder = self._landing / feed
                if os.path.lexists(folder) and not stat.S_ISDIR(folder.lstat().st_mode):
                    refused[file.name] = f"a file of the feed {feed}, and {folder} is no folder"
                    continue
                name = move(self._landing / file.name, self._landing, [f"{feed}/{file.name}"])
                # When it got its present name is when it landed.
                there = (self._landing / name).lstat().st_ctime_ns
            except FileNotFoundError:
                log.info("%s was gone before it could be moved to %s/", file.name, feed)
            except OSError as error:
                refused[file.name] = f"a file that cannot be moved to {feed}/ ({error.strerror or error})"
            else:
                log.info("%s has the header of the feed %s: it lands as %s", file.name, feed, name)
                moved[file.name] = replace(file, name=name, ctime_ns=there)
        return moved, refused

    def _known(self, file: LandedFile) -> Belonging | None:
        known = self._judged.found.get(file.name)
        return known[1] if known is not None and known[0] == file.stamp else None

    def _sentence(self, name: str, misfit: Misfit) -> str:
        if misfit.feeds:
            folders = " or ".join(f"{self._landing / feed}/" for feed in misfit.feeds)
            return f"{misfit.said}: move it into {folders}"
        command = f"ecom feeds init {shlex.quote(str(self._landing / name))}"
        if misfit.by_folder:
            return (
                f"{sentence(misfit.said)} What is in it does not say whose it is: `{command}` writes a "
                f"declaration, and files of a declared feed belong in {self._landing}/FEED/."
            )
        if misfit.remedy:
            return f"{sentence(misfit.said)} {misfit.remedy}"
        return (
            f"{sentence(misfit.said)} `{command}` writes a declaration that takes it; what is of a declared "
            f"feed all the same belongs in {self._landing}/FEED/."
        )


def waiting_files(landing: Path, feeds: Mapping[str, Feed], settle_seconds: float) -> dict[str, str]:
    """The files that wait for a feed, and why, by one look: of those that have rested for a while."""
    now = time.time()
    old = now - max(settle_seconds, LOOK_INTERVAL_SECONDS if settle_seconds else 0)
    # A time in the future says nothing.
    resting = [
        file
        for file in look(landing).files.values()
        if file.ctime_ns / 1e9 <= old and not old < file.mtime_ns / 1e9 <= now
    ]
    return Placing(landing, feeds).sort(resting).waiting
