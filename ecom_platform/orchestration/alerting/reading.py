"""The event log, read from where the last tick stopped.

Belongs here: paging through the kinds of events that alerts are made of. Does not belong here: what
an event means (``signs``), where to go on (``position``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import dagster as dg

from ecom_platform.alerts.problem import Sign
from ecom_platform.orchestration.alerting import runs, signs
from ecom_platform.orchestration.alerting.position import Position
from ecom_platform.orchestration.alerting.signs import Described

log = logging.getLogger(__name__)

PAGE = 500
# Unseen events of one kind in one tick; the next tick goes on from there.
MOST_EVENTS = 5_000

_Event = dg.DagsterEventType
_Identity = tuple[int, str, float]


@dataclass(frozen=True, slots=True)
class Place:
    """Where what is read is from, and is to be seen."""

    instance: dg.DagsterInstance
    ui_url: str
    location: str
    described: Described = signs.undescribed


_Translate = Callable[[Place, Any], list[Sign]]


def _check(place: Place, entry: Any) -> list[Sign]:
    data = entry.get_dagster_event().event_specific_data
    return [signs.evaluated(data, entry.run_id, entry.timestamp, place.ui_url, place.described)]


def _failure(place: Place, entry: Any) -> list[Sign]:
    return list(signs.run_failed(runs.failed(place.instance, entry, place.location), place.ui_url))


def _success(place: Place, entry: Any) -> list[Sign]:
    return list(signs.run_succeeded(runs.succeeded(place.instance, entry, place.location)))


def _freshness(place: Place, entry: Any) -> list[Sign]:
    data = entry.get_dagster_event().event_specific_data
    return [signs.freshness_changed(data, entry.timestamp, place.ui_url)]


_TRANSLATIONS: dict[dg.DagsterEventType, _Translate] = {
    _Event.ASSET_CHECK_EVALUATION: _check,
    _Event.RUN_FAILURE: _failure,
    _Event.RUN_SUCCESS: _success,
    _Event.FRESHNESS_STATE_CHANGE: _freshness,
}


def signs_of_run(place: Place, run_id: str) -> list[Sign]:
    """Signs from the events of one run."""
    kinds = set(_TRANSLATIONS)
    entries = [
        record.event_log_entry for record in place.instance.get_records_for_run(run_id, of_type=kinds).records
    ]
    return [sign for e in entries for sign in _TRANSLATIONS[e.get_dagster_event().event_type](place, e)]


def beginning(instance: dg.DagsterInstance, now: datetime) -> Position:
    """Behind what the log holds now."""
    return Position.beginning(now, instance.event_log_storage.get_maximum_record_id() or 0)


class EventReader:
    """Reads the event log of an instance. What an event meant is remembered, since the overlap has it
    read two dozen times and some meanings take a look at the run."""

    def __init__(self) -> None:
        self._meanings: dict[_Identity, list[Sign]] = {}

    def read(
        self,
        instance: dg.DagsterInstance,
        position: Position,
        now: datetime,
        ui_url: str,
        location: str,
        described: Described = signs.undescribed,
    ) -> tuple[list[Sign], Position]:
        """Signs from every event behind ``position`` and in the overlap, and the new position."""
        place = Place(instance, ui_url, location, described)
        newest = instance.event_log_storage.get_maximum_record_id() or 0
        if newest < position.reached:
            position = position.wiped()
        found: list[Sign] = []
        reached = newest
        for kind, translate in _TRANSLATIONS.items():
            end = self._read_kind(place, kind, translate, position.after(now), found)
            reached = min(reached, newest if end is None else end)
        self._forget(position.after(now), newest)
        return found, position.advanced(now, reached)

    def _read_kind(
        self,
        place: Place,
        kind: dg.DagsterEventType,
        translate: _Translate,
        after: int,
        found: list[Sign],
    ) -> int | None:
        """Adds to ``found``; returns where it stopped, or ``None`` at the end of the log."""
        unseen = 0
        while unseen < MOST_EVENTS:
            page = place.instance.event_log_storage.get_logs_for_all_runs_by_log_id(
                after_cursor=after, dagster_event_type=kind, limit=PAGE
            )
            for number, entry in page.items():
                # What the overlap has read again does not count: a flood would never get past it.
                unseen += self._identity(number, entry) not in self._meanings
                found.extend(self._meaning(number, entry, lambda e: translate(place, e)))
                after = max(after, number)
            if len(page) < PAGE:
                return None
        return after

    def _meaning(self, number: int, entry: Any, translate: Callable[[Any], list[Sign]]) -> list[Sign]:
        identity = self._identity(number, entry)
        if identity not in self._meanings:
            try:
                self._meanings[identity] = translate(entry)
            except Exception as error:
                # One event that cannot be understood must not hold back all others. It is tried again
                # for as long as the overlap has it read again.
                log.warning("Event %s cannot be made an alert: %s", number, type(error).__name__)
                return []
        return self._meanings[identity]

    @staticmethod
    def _identity(number: int, entry: Any) -> _Identity:
        # A number alone may come again, in a log that was wiped.
        return number, entry.run_id, entry.timestamp

    def _forget(self, after: int, reached: int) -> None:
        """Keep the meanings of what the overlap may have read again, however many these are."""
        for identity in [seen for seen in self._meanings if not after < seen[0] <= reached]:
            del self._meanings[identity]
