"""Looking at the landing folder again and again: what has come to rest since.

Belongs here: what has to be remembered from one look to the next. Does not belong here: what a look
is and when a file is at rest (``scan``), or claiming it (``claim``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from ecom_platform.landing.folder.scan import LOOK_INTERVAL_SECONDS, look, patient, rests
from ecom_platform.landing.landed import LandedFile, Scan
from ecom_platform.waits import announced


@dataclass(frozen=True, slots=True)
class _Sight:
    """A file with the size and time it has had since ``first_seen``."""

    file: LandedFile
    first_seen: float


class Watch:
    """One folder, looked at as often as :meth:`look` is called.

    Looks may follow each other more closely than two that can tell a resting file from one being
    written; a file is compared with what it was at least that long ago. ``whole`` names files that are known
    to be complete: this program renamed them into place. ``feeds`` are those whose folders are looked into.
    """

    def __init__(
        self,
        folder: Path,
        settle_seconds: float,
        whole: Collection[str] = (),
        *,
        feeds: Collection[str] = (),
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._feeds = feeds
        self._folder, self._settle_seconds, self._whole = folder, settle_seconds, whole
        self._clock, self._timer = clock, timer
        self._seen: dict[str, _Sight] = {}
        self._slow: set[str] = set()

    def be_patient(self, names: Iterable[str]) -> None:
        """Let files of these names rest longer: they came back, since they were written to after they had
        rested."""
        self._slow.update(names)

    def look(self) -> Scan:
        """What rests now, oldest first, and what does not yet. Raises :class:`StorageError`."""
        current = look(self._folder, feeds=self._feeds)
        now = self._timer()
        self._seen = {name: self._sight(file, now) for name, file in current.files.items()}
        settled: list[LandedFile] = []
        unsettled: list[LandedFile] = []
        for sight in sorted(self._seen.values(), key=lambda sight: (sight.file.mtime_ns, sight.file.name)):
            before = sight.file if now - sight.first_seen >= LOOK_INTERVAL_SECONDS else None
            slow = sight.file.name in self._slow
            wanted = patient(self._settle_seconds) if slow else self._settle_seconds
            resting = rests(sight.file, before, self._clock(), wanted)
            (settled if resting or sight.file.name in self._whole else unsettled).append(sight.file)
        self._slow.difference_update(file.name for file in settled)
        return Scan(settled, unsettled, current.refused, current.unfinished)

    def _sight(self, file: LandedFile, now: float) -> _Sight:
        before = self._seen.get(file.name)
        if before is not None and file.same_content(before.file):
            return _Sight(file, before.first_seen)
        return _Sight(file, now)


def scan(
    folder: Path,
    settle_seconds: float,
    wait_seconds: float,
    whole: Collection[str] = (),
    slow: Collection[str] = (),
    *,
    feeds: Collection[str] = (),
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.time,
    timer: Callable[[], float] = time.monotonic,
) -> Scan:
    """Look until every file rests or ``wait_seconds`` have passed.

    ``slow`` files have come back, since they were written to after they had rested: they rest longer.
    """
    watch = Watch(folder, settle_seconds, whole, feeds=feeds, clock=clock, timer=timer)
    watch.be_patient(slow)
    deadline = timer() + wait_seconds
    found = watch.look()
    if not found.unsettled:
        return found
    with announced(
        lambda: f"files that are still being written, such as {found.unsettled[0].name}", wait_seconds
    ):
        while found.unsettled and timer() < deadline:
            sleep(LOOK_INTERVAL_SECONDS)
            found = watch.look()
    return found
