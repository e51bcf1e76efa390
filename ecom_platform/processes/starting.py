"""How a process gets through its imports.

Belongs here: what makes a start shorter and changes nothing after it. Does not belong here: which modules are
imported.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collections() -> Iterator[None]:
    """No garbage collection within the block, as long as it was on.

    Importing a code location makes hundreds of thousands of objects that stay. Looking through them again and
    again for what could go is a fifth of its processor time, and finds nothing.
    """
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()
