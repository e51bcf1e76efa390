"""Which landing zone belongs to which database: an id in a marker file, known to the ledger.

Belongs here: telling the right zone from another folder, from a mount point whose mount is away, and from
what somebody else has put in its place. Does not belong here: what is in the folders (``zone``).

A ledger that looks at another zone's folders finds none of its claimed files there, and would give them up.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from uuid import UUID, uuid4

from ecom_platform import durable
from ecom_platform.errors import StorageError
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection

MARKER = "zone-id"

_ADOPT = (
    "If it is to be the one from now on, `ecom reconcile --adopt` makes it so: files that are claimed and "
    "not in it are then given up as missing."
)


def verify(connection: Connection, zone: LandingZone) -> None:
    """Make sure that ``zone`` is the one that this ledger is about; raises :class:`StorageError`.

    A ledger without a zone, or without a file, takes the first one that it is shown.
    """
    zone.check_folders()
    found, known = read_marker(zone), ledger.zone_id(connection)
    if found is not None and found == known:
        return
    if known is not None and ledger.has_files(connection):
        raise _another(zone, found, known)
    adopt(connection, zone)


def require(connection: Connection, zone: LandingZone) -> None:
    """:func:`verify` for who finds no marker, before any folder is made."""
    known = ledger.zone_id(connection)
    if known is not None and ledger.has_files(connection):
        raise _another(zone, None, known)
    zone.prepare()
    verify(connection, zone)


def is_marked(zone: LandingZone) -> bool:
    """Whether there is a marker, whatever it says."""
    return os.path.lexists(_marker(zone))


def adopt(connection: Connection, zone: LandingZone) -> None:
    """Let ``zone`` be the one that this ledger is about."""
    zone.check_folders()
    ledger.set_zone_id(connection, read_marker(zone) or _write_marker(zone))
    connection.commit()


def read_marker(zone: LandingZone) -> UUID | None:
    """The id of ``zone``; ``None`` if it has none yet."""
    path = _marker(zone)
    try:
        return UUID(path.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StorageError(
            f"The marker of the landing zone, {path}, cannot be read: {error}.",
            "Restore it from a backup of the landing zone; or remove it, and run `ecom reconcile --adopt`.",
        ) from error


def _marker(zone: LandingZone) -> Path:
    return zone.ours / MARKER


def _write_marker(zone: LandingZone) -> UUID:
    """Appears complete, and once: of two programs that make it, both get what the first has written."""
    wanted, path = uuid4(), _marker(zone)
    hidden = path.with_name(f".{MARKER}-{secrets.token_hex(8)}")
    try:
        hidden.write_text(f"{wanted}\n", encoding="ascii")
        durable.sync(hidden)
        try:
            os.link(hidden, path)
        except FileExistsError:
            pass
        except OSError:  # no links on this file system
            hidden.rename(path)
        durable.sync(path.parent)
    except OSError as error:
        raise StorageError(
            f"The marker of the landing zone, {path}, cannot be written: {error.strerror}.",
            "Make the folder writable, or set ECOM_LANDING_DIR to a folder that is.",
        ) from error
    finally:
        hidden.unlink(missing_ok=True)
    return read_marker(zone) or wanted


def _another(zone: LandingZone, found: UUID | None, known: UUID) -> StorageError:
    if found is None:
        return StorageError(
            f"The landing folder {zone.landing} is not the one that this database loads from: it lacks the "
            f"marker .ecom/{MARKER} with the id {known}. Its mount is away, or ECOM_LANDING_DIR names "
            "another folder.",
            f"Mount it, or correct ECOM_LANDING_DIR; nothing was changed. {_ADOPT}",
        )
    return StorageError(
        f"The landing folder {zone.landing} belongs to another database: its id is {found}, and this "
        f"database loads from the one with the id {known}.",
        "Two landing folders need two databases: correct ECOM_LANDING_DIR or ECOM_POSTGRES_URL; nothing was "
        f"changed. {_ADOPT}",
    )
