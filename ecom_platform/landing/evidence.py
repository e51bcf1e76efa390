"""What the checks of a landing zone say, of folders and of a bucket alike.

Belongs here: how much is looked at, and the words and figures of a finding. Does not belong here: the looks
(``folder``, ``bucket``), or Dagster.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, timedelta

from ecom_platform.store import ledger
from ecom_platform.store.audit import Finding, named
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.scope import looking

HAVE_A_FEED_CHECK = "files_have_a_feed"
# Of more files a run that loads looks at those of the last day: asking for the size of so many takes half a
# second.
_WHOLE_UP_TO_FILES = 20_000
_LAST_DAY = timedelta(hours=25)


def archived_since(connection: Connection, *, whole: bool) -> datetime | None:
    """From when on loaded files are looked at; ``None``: all of them."""
    all_of_them = whole or ledger.loaded_count(connection) <= _WHOLE_UP_TO_FILES
    return None if all_of_them else datetime.now(UTC) - _LAST_DAY


def archive_finding(
    differing: Collection[tuple[str, str]], looked_at: int, absent: int, since: datetime | None
) -> Finding:
    """The archive has of each loaded file as many bytes as were loaded.

    What is not there at all is counted, not faulted: archives are emptied, by ``ECOM_ARCHIVE_DAYS`` or by
    hand. ``differing``: what each is called, and what is wrong with it.
    """
    return Finding(
        "archive_matches_ledger",
        not differing,
        "0 files of another size",
        f"{len(differing)} files of another size",
        "The archive has of each loaded file as many bytes as were loaded.",
        {
            "files_looked_at": looked_at,
            "files_not_in_the_archive": absent,
            **({} if since is None else {"looked_at": "files loaded within the last day"}),
            **named(differing),
        },
    )


def ledger_finding(
    database: Database,
    whole_up_to: int | None,
    strangers: Callable[[date | None], Collection[tuple[str, str]]],
    expected: str,
    found: Callable[[int], str],
) -> Finding:
    """The ledger knows everything of ours that is kept, as what it is.

    Of a table that is not looked at as a whole (``scope``): the days of the archive since the whole was found
    right. A database that went back in time went back with that moment, so they are all that it can lack.
    ``strangers`` says what is not known of the days from one on; ``found`` says how many in words.
    """
    with looking(database, "disk_matches_ledger", whole_up_to=whole_up_to) as look:
        since = look.scope.whole_at
        strange = strangers(None if since is None else since.astimezone(UTC).date())
        look.found_right(not strange)
    return Finding(
        "disk_matches_ledger",
        not strange,
        expected,
        found(len(strange)) if strange else expected,
        "What was claimed or finished is in the ledger. It is not where PostgreSQL went back to an earlier "
        "state: a failover, a restore.",
        look.scope.details() | named(strange),
    )


def feed_finding(waiting: Mapping[str, str]) -> Finding:
    """Every file that has landed is some feed's; ``waiting`` are those of none, and why."""
    expected = "every file that has landed is of a feed"
    return Finding(
        HAVE_A_FEED_CHECK,
        not waiting,
        expected,
        f"{counted(len(waiting), 'file')} of none, not loaded" if waiting else expected,
        "Files at the top of the landing folder have the header of a declared feed.",
        named(sorted(waiting.items())),
    )


def counted(number: int, thing: str) -> str:
    """So many of them, in words."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
