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
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from ecom_platform.landing.kept_names import prefixed
from ecom_platform.store.outcome import base


def place(
    source: Path,
    folder: Path,
    names: Iterable[str],
    before: Callable[[os.stat_result], None] = lambda status: None,
) -> str:
    """Let a copy of ``source`` be in ``folder``, by the first of ``names`` that is free; returns the name.

    ``before`` is told what the copy is before it has its name.

    Where none is, or the file system cannot tell, the last name gets a random prefix. What appears is
    complete, as old as ``source``, and a file of its own: whoever opens that name for writing does
    nothing to ``source``.
    """
    # It begins with a dot, so it is never taken for a file that has landed.
    hidden = folder / f".{secrets.token_hex(8)}.requeued"
    try:
        shutil.copyfile(source, hidden, follow_symlinks=False)
        status = source.stat()
        os.utime(hidden, ns=(status.st_atime_ns, status.st_mtime_ns))
        before(hidden.stat())
        return move(hidden, folder, names)
    finally:
        hidden.unlink(missing_ok=True)


def move(source: Path, folder: Path, names: Iterable[str]) -> str:
    """Move ``source`` itself into ``folder``, in the same way. Its writer, if it has one, goes on with it.

    Killed in between, it is in both places; called again it leaves the one in ``folder``.
    """
    tried = list(names)
    if "/" in tried[0]:
        # A feed's folder that is gone is made again.
        (folder / tried[0]).parent.mkdir(parents=True, exist_ok=True)
    name = _link(source, folder, tried)
    if name is None:
        folders = tried[-1].removesuffix(base(tried[-1]))
        name = folders + prefixed(secrets.token_hex(8), base(tried[-1]))
        source.rename(folder / name)
    else:
        source.unlink()
    return name


def _link(source: Path, folder: Path, names: Iterable[str]) -> str | None:
    """The first free name, by which ``source`` is in ``folder`` now; ``None`` if there is none.

    Nor is there one across file systems, on a file system without links, and where Linux does not let
    us link the file of another user.
    """
    for name in names:
        try:
            os.link(source, folder / name, follow_symlinks=False)
        except FileExistsError:
            with suppress(FileNotFoundError):
                if os.path.samestat((folder / name).lstat(), source.lstat()):
                    return name
            continue
        except FileNotFoundError:
            raise
        except OSError:
            return None
        return name
    return None
