"""What a landing zone and a ledger disagreed about, when they were put in agreement.

Belongs here: the account. Does not belong here: finding it, in folders (``returning``) or in a bucket
(``bucket.object_returning``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What disk and ledger disagreed about. ``requeued`` files land again, since the ledger does not know
    them or they have grown since they were loaded; ``missing`` ones are loaded by the ledger's word but no
    longer in the archive; ``put_away`` were finished but not yet moved; ``taken_back`` are claimed by the
    ledger's word and had been finished: they are loaded again."""

    requeued: tuple[str, ...]
    missing: tuple[str, ...]
    put_away: int
    taken_back: int
