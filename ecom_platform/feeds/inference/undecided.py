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

    def __init__(self, questions: Sequence[str], answers: Sequence[str]) -> None:
        """``answers`` are values of ``--set``, of which one for each question is to be chosen."""
        options = " or ".join(f"--set '{answer}'" for answer in answers)
        super().__init__(" ".join(questions), f"Say which, and run it again: {options}.")
        self.questions, self.answers = tuple(questions), tuple(answers)
