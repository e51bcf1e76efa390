"""Claiming while the query runs: what comes to rest where files land is its next work.

Belongs here: the thread that looks, claims and passes on. Does not belong here: when a file may be
claimed, and the claim itself (``landing.lookout``), what Spark is told when (``dispatch``).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Container, Iterable
from dataclasses import replace

from ecom_platform.errors import EcomError, IngestError
from ecom_platform.landing.landed import LandedFile, Scan
from ecom_platform.landing.lookout import Lookout
from ecom_platform.store.ledger import ClaimedFile
from ecom_platform.store.outcome import feed_of
from ecom_platform.streaming.dispatch import Dispatcher

log = logging.getLogger(__name__)

# A claim of more files at once keeps the first of them waiting for the last.
MAX_CLAIMED_AT_ONCE = 500
# After which a file that could not be moved is tried again.
STUCK_SECONDS = 30.0


class Claimer:
    """A thread that claims until it is stopped or fails; the failure is kept in ``error``.

    ``feeds`` are those that can be loaded: files of others are left where they are.
    """

    def __init__(self, lookout: Lookout, feeds: Container[str], dispatcher: Dispatcher) -> None:
        self._lookout, self._feeds, self._dispatcher = lookout, feeds, dispatcher
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="claimer", daemon=True)
        self._left_alone: set[str] = set()
        self._stuck: dict[LandedFile, float] = {}
        self._last = Scan([], [], {})
        self.error: EcomError | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Claim no more; returns when the claim in hand is done."""
        self._stopping.set()
        self._thread.join()

    def be_patient(self, names: Iterable[str]) -> None:
        """Files of these names came back, since their writers were still at work: let them rest longer."""
        self._lookout.be_patient(names)

    def backlog(self) -> tuple[int, int]:
        """Files in the landing folder that are not claimed, as of the last look, and their bytes."""
        files = [*self._last.settled, *self._last.unsettled]
        return len(files), sum(file.size for file in files)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                started = time.monotonic()
                more = self._look_and_claim()
                if not more:
                    pause = self._lookout.pause_seconds - (time.monotonic() - started)
                    self._stopping.wait(max(pause, 0.0))
        except EcomError as error:
            self.error = error
        except Exception as error:
            self.error = IngestError(
                f"Claiming files failed with {type(error).__name__}: {' '.join(str(error).split())[:300]}",
                "Nothing is lost: what was claimed is loaded by the next attempt.",
            )

    def _look_and_claim(self) -> bool:
        """One round; returns whether settled files are left for the next."""
        found = self._lookout.look()
        waiting = self._lookout.waiting(found.settled)
        ours = [file for file in found.settled if file.name not in waiting]
        batch, left = ours[:MAX_CLAIMED_AT_ONCE], ours[MAX_CLAIMED_AT_ONCE:]
        self._lookout.put_back(left)
        placed = self._lookout.place(replace(found, settled=batch))
        self._report_left_alone(placed.refused, waiting)
        self._last = Scan(left, found.unsettled, found.refused, found.unfinished)
        # The folder of a feed that cannot be loaded is not looked into.
        taken = [file for file in placed.settled if feed_of(file.name) in self._feeds]
        if taken:
            self._dispatcher.add(self._claim(taken))
        return bool(left)

    def _claim(self, files: list[LandedFile]) -> list[ClaimedFile]:
        """Those that could be claimed. One that cannot be moved is tried again after a while."""
        now = time.monotonic()
        self._stuck = {file: until for file, until in self._stuck.items() if until > now}
        claim = self._lookout.claim([file for file in files if file not in self._stuck])
        self.be_patient(claim.changed)
        for file in files:
            if file.name in claim.refused:
                self._stuck[file] = now + STUCK_SECONDS
        return claim.taken

    def _report_left_alone(self, refused: dict[str, str], waiting: dict[str, str]) -> None:
        """Each entry that will never be taken, and each file of no feed, once."""
        for name in refused.keys() - self._left_alone:
            log.warning("%s in the landing folder is not taken: it is %s", name, refused[name])
        for name in waiting.keys() - self._left_alone:
            log.warning("%s in the landing folder waits for a feed: %s", name, waiting[name])
        self._left_alone = {*refused, *waiting}
