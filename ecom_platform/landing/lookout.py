"""Looking again and again at where files land: what may be claimed by now, and claiming it.

Belongs here: what whoever looks for long needs of a landing zone. Does not belong here: how it is had of
folders (``folder.folder_lookout``) or of a bucket (``bucket.object_lookout``), or what is done with what is
claimed (``streaming``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from ecom_platform.landing.claims import Claim
from ecom_platform.landing.landed import LandedFile, Scan


class Lookout(Protocol):
    """A landing zone, looked at as often as :meth:`look` is called."""

    @property
    def pause_seconds(self) -> float:
        """From the beginning of one look to that of the next, where nothing is left of the last."""

    def look(self) -> Scan:
        """What rests now, oldest first, and what does not yet. Raises :class:`StorageError`."""

    def put_back(self, files: Sequence[LandedFile]) -> None:
        """Of the last look these were not claimed, for want of time: the next look has them as well."""

    def expected(self, files: Iterable[LandedFile]) -> dict[str, LandedFile]:
        """What may be claimed of them: by present names, under those that they are to have in the ledger."""

    def waiting(self, files: Iterable[LandedFile]) -> dict[str, str]:
        """Which of them are of no feed, and what each looks like."""

    def place(self, found: Scan) -> Scan:
        """``found`` without what waits, the rest where it is to be claimed. Whoever calls this holds the
        ingest lock."""

    def claim(self, files: Sequence[LandedFile]) -> Claim: ...

    def be_patient(self, names: Iterable[str]) -> None:
        """Files of these names came back, since their writers were still at work: let them rest longer."""
