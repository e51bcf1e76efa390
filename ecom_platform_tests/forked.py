"""A copy of this process, as Spark's Python workers are of the one that they were forked from.

Belongs here: asking something in it. Does not belong here: programs that tests start.
"""

from __future__ import annotations

import os
from collections.abc import Callable


def holds_in_a_child(check: Callable[[], bool]) -> bool:
    """Whether ``check`` holds there; not if it raises."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if check() else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
