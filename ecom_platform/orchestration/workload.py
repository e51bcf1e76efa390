"""A workload: what runs on the engine beside it, and what the engine asks of it.

Belongs here: the questions, and the answers of an engine that runs alone. Does not belong here: any workload
(``ecom_platform.shop`` is one); nothing in the engine knows which there are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import dagster as dg
from markupsafe import Markup

from ecom_platform.settings import Settings
from ecom_platform.store.audit import RowRules
from ecom_platform.store.connection import Connection, Database


def _nothing_follows(database: Database, settings: Settings) -> Iterator[str]:  # noqa: ARG001
    yield from ()


@dataclass(frozen=True)
class Workload:
    """``definitions`` are its own; ``upstream`` names by asset of the engine those that come before it.

    ``tables`` are assets that follow from the events: the daily audit runs their checks, the daily report
    brings them up to date. ``checks`` are looked at again after the live mode has loaded something.
    """

    definitions: dg.Definitions = field(default_factory=dg.Definitions)
    upstream: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tables: Sequence[str] = ()
    checks: Sequence[dg.AssetCheckKey] = ()
    # By feed, rules about its rows that have checks under names of their own, and what each promises.
    row_rules: Mapping[str, Mapping[RowRules, str]] = field(default_factory=dict)
    # The asset that makes files in a run that loads them too.
    producer: str | None = None
    # Files that a run has put in place whole, by their names: they need not be watched until they settle.
    whole_files: Callable[[Connection, str], Collection[str]] = lambda connection, run_id: ()
    # Brings up to date what follows from the events, where a job loads without the assets; what was done.
    after_load: Callable[[Database, Settings], Iterator[str]] = _nothing_follows
    # The first screen of the report, around a card of the last loads; HTML, as the card is.
    first_screen: Callable[[Connection, datetime, Markup], Markup] | None = None
