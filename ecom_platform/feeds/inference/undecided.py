"""What no value of a file decides, and a person has to.

Belongs here: the question, with the answers that it has. Does not belong here: finding out what is
undecided.
"""

from __future__ import annotations

from collections.abc import Sequence

from ecom_platform.errors import UsageError


class UndecidedError(UsageError):
    """Values can be read in two ways, and none of them says which is meant."""

    code = "undecided"

    def __init__(self, questions: Sequence[tuple[str, Sequence[str]]]) -> None:
        """``questions``: a sentence each, with the values of ``--set`` that answer it."""
        ways = (" or ".join(f"--set '{answer}'" for answer in answers) for _, answers in questions)
        super().__init__(
            " ".join(sentence for sentence, _ in questions),
            f"Say which, and run it again: {', and '.join(ways)}.",
        )
        self.questions = tuple(questions)
