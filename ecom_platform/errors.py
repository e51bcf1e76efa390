"""Every exception this package raises on purpose.

Belongs here: the exception classes, each with the exit code of the ``ecom`` command line and
the stable ``code`` that ``--json`` reports. Does not belong here: the sentences, which are
written where the thing, its value and the remedy are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


def sentence(text: str) -> str:
    """``text`` with a full stop, where it does not end as a sentence does."""
    return text if not text or text.endswith((".", "?", "!", "…")) else f"{text}."


class EcomError(Exception):
    """Something a person has to act on.

    ``message`` names the thing and its value, ``remedy`` what to do about it. Neither may hold
    a secret: both are logged, shown in the Dagster UI and printed.
    """

    code = "error"
    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def as_json(self) -> dict[str, str]:
        """The error as ``--json`` reports it."""
        return {"code": self.code, "message": self.message, "remedy": self.remedy}

    def __str__(self) -> str:
        return f"{sentence(self.message)} {self.remedy}".strip() if self.remedy else self.message


class UsageError(EcomError):
    """An argument or a setting has a value that cannot be used."""

    code = "usage"
    exit_code = 2


class SettingsError(UsageError):
    """One or more environment variables cannot be used; all problems are listed at once."""

    code = "settings"


class PrerequisiteError(EcomError):
    """Something outside this program is missing, too old or unreachable."""

    code = "prerequisite"
    exit_code = 3


class JavaError(PrerequisiteError):
    """No Java that Spark can run on."""

    code = "java"


class DatabaseError(PrerequisiteError):
    """PostgreSQL cannot be reached, or refuses this user."""

    code = "database"


class ClusterError(PrerequisiteError):
    """The Spark cluster cannot be used: no executors, or they lack something that tasks need."""

    code = "cluster"


class StorageError(PrerequisiteError):
    """A folder cannot be written, or its disk is full."""

    code = "storage"


class StoreAwayError(StorageError):
    """A store of objects does not answer now, or its credentials have expired: later it may."""


class FeedError(EcomError):
    """A feed cannot be loaded: its declaration, or its table, is not what it has to be."""

    code = "feed"


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in a declaration: in which file and line, what it is, and what to do."""

    file: str
    line: int
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {sentence(self.message)} {self.remedy}"


class DeclarationError(FeedError):
    """A declaration cannot be used; ``problems`` has every mistake in it."""

    code = "declaration"
    exit_code = 2

    def __init__(self, problems: Sequence[Mistake]) -> None:
        first, *others = problems
        more = "".join(f"\n{other}" for other in others)
        super().__init__(
            f"{first.file}, line {first.line}: {sentence(first.message)}", f"{first.remedy}{more}"
        )
        self.problems = tuple(problems)


class LockedError(EcomError):
    """Another ingest holds the lock and did not finish within the wait."""

    code = "locked"
    exit_code = 4


class IngestError(EcomError):
    """The stream ended in an error; nothing of the failed unit was stored."""

    code = "ingest"


class JvmLostError(IngestError):
    """Spark's Java process has ended; this process cannot have another."""

    code = "jvm_lost"
