"""What the tables say of generated events: the evidence behind the shop's checks of the files and the load.

Belongs here: an expectation that follows from a generation, beside what was found. Does not belong here: what
holds for any events (``store.audit``), the sales figures (``rollups``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa

from ecom_platform.shop import SQL
from ecom_platform.shop.generations import Generation
from ecom_platform.store.audit import Finding, named
from ecom_platform.store.connection import Connection
from ecom_platform.store.statements import queries


def generated_files(generation: Generation | None, records: Mapping[str, int]) -> Finding:
    """The files hold exactly what the generator says it wrote. ``records`` counts each file found."""
    names = generation.file_names if generation else []
    expected = generation.events if generation else 0
    found = sum(records.values())
    missing = [name for name in names if name not in records]
    return Finding(
        "files_hold_generated_events",
        generation is not None and expected == found and not missing,
        f"{expected} events in {len(names)} files",
        f"{found} events in {len(records)} files",
        "The files hold exactly the events that were generated.",
        named((name, "the file is gone") for name in missing),
    )


def stored_once(connection: Connection, events: Iterable[tuple[str, pa.Array]]) -> Finding:
    """Every one of ``events`` is in the table exactly once, whoever loaded it.

    ``events`` pairs the name of a file with the ids in it, as ``fixed_size_binary(16)``.
    """
    names = _copy_expected(connection, events)
    totals, *broken = queries("findings", SQL).expected_by_file(connection)
    _, expected, found = totals
    return Finding(
        "generated_events_stored_once",
        expected == found and not broken,
        f"{expected} events, each once",
        f"{found} rows",
        "The events that were generated are in the table, each exactly once, whichever run loaded them.",
        named((names[number], f"{rows} of {wanted}") for number, wanted, rows in broken),
    )


def _copy_expected(connection: Connection, events: Iterable[tuple[str, pa.Array]]) -> list[str]:
    """Fill the temporary table of expected ids; returns the names that its numbers stand for."""
    queries("findings", SQL).create_expected_ids(connection)
    names: list[str] = []
    with connection.cursor().copy("COPY expected_ids FROM STDIN") as copy:
        for name, ids in events:
            copy.write(_copy_lines(len(names), ids))
            names.append(name)
    # Without statistics the planner would look a million ids up one by one.
    queries("findings", SQL).analyze_expected_ids(connection)
    return names


def _copy_lines(number: int, ids: pa.Array) -> str:
    """Lines of COPY's text format: an id in hexadecimal, a tab, the number of its file."""
    digits = b"".join(value.as_buffer() for value in ids).hex()
    return "".join(f"{digits[at : at + 32]}\t{number}\n" for at in range(0, len(digits), 32))
