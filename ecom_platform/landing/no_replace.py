"""Giving a file a name in a folder where anybody may drop files, without replacing one of theirs.

Belongs here: names that are given only where they are free, on any file system. Does not belong here:
moves inside the landing zone, where nobody else gives names (``zone``), or which file (``requeue``).

A rename replaces what has its new name, and a look beforehand is too early: a file that is dropped
after it is lost. A hard link fails instead. Where there are none, a file gets a name that nobody else
would give, which a rename can give as well.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

from ecom_platform.landing.scan import MAX_NAME_BYTES


def place(source: Path, folder: Path, names: Iterable[str]) -> str:
    """Let ``source`` be in ``folder`` as well, by the first of ``names`` that is free; returns the name.

    Where none is, or the file system cannot tell, the last name gets a random prefix. What appears is
    complete, and on a file system with hard links no copy.
    """
    tried = list(names)
    linked = _link(source, folder, tried)
    if linked is not None:
        return linked
    # It begins with a dot, so it is never taken for a file that has landed.
    hidden = folder / f".{secrets.token_hex(8)}.requeued"
    try:
        shutil.copyfile(source, hidden, follow_symlinks=False)
        linked = _link(hidden, folder, tried)
        if linked is None:
            linked = prefixed(secrets.token_hex(8), tried[-1])
            hidden.rename(folder / linked)
        return linked
    finally:
        hidden.unlink(missing_ok=True)


def _link(source: Path, folder: Path, names: Iterable[str]) -> str | None:
    """The first free name, by which ``source`` is in ``folder`` now; ``None`` if there is none.

    Nor is there one across file systems, on a file system without links, and where Linux does not let
    us link the file of another user.
    """
    for name in names:
        try:
            os.link(source, folder / name, follow_symlinks=False)
        except FileExistsError:
            continue
        except FileNotFoundError:
            raise
        except OSError:
            return None
        return name
    return None


def prefixed(prefix: str, name: str) -> str:
    """``name`` after ``prefix`` and a dash; of a long name the end, which says how to read it."""
    room = MAX_NAME_BYTES - len(prefix.encode()) - 1
    return f"{prefix}-{name.encode()[-room:].decode(errors='ignore')}"
