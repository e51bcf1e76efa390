"""``check_alerts``: alerts for any Dagster project, as definitions to merge with one's own.

Belongs here: the sensor, which reads what Dagster recorded, stores what that changes and has it
delivered; and what lives as long as the process it runs in. Does not belong here: any decision.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from ecom_platform.alerts import outbox
from ecom_platform.alerts.dead_mans_switch import DeadMansSwitch
from ecom_platform.alerts.outage import Outage
from ecom_platform.alerts.problem import Kind, Sign, Window
from ecom_platform.alerts.redaction import secrets_of
from ecom_platform.alerts.shifts import Shifts
from ecom_platform.alerts.targets import targets
from ecom_platform.errors import DatabaseError
from ecom_platform.orchestration.alerting import runs, signs, ticks
from ecom_platform.orchestration.alerting.position import Position
from ecom_platform.orchestration.alerting.reading import EventReader, beginning
from ecom_platform.orchestration.alerting.signs import Described, undescribed
from ecom_platform.settings import AlertSettings, AlertVariables, load_alert_settings
from ecom_platform.store.alerts import provide_outbox
from ecom_platform.store.connection import Connection, Database

log = logging.getLogger(__name__)

# Signs of a project's own: connection, what it is asked about, now, the settings.
Source = Callable[[Connection, Window, datetime, AlertSettings], Iterable[Sign]]
Provide = Callable[[], AbstractContextManager[Database]]

INTERVAL_SECONDS = 5
# How long a tick waits for targets; those that take longer are served on in the background. Short, since
# the daemon runs sensors one after the other.
PATIENCE_SECONDS = 2.0


def check_alerts(
    *,
    name: str = outbox.DEFAULT_SOURCE,
    variables: AlertVariables | None = None,
    sources: Sequence[Source] = (),
    provide: Provide | None = None,
) -> dg.Definitions:
    """Definitions of one sensor that tells of failed checks and runs: ``Definitions.merge(mine,
    check_alerts())``.

    ``name`` is the sensor's, and says whose the alerts are where projects share a database.
    ``variables`` names the environment variables to read. ``sources`` finds further problems, in the
    tables of the same database. ``provide`` opens that database (default: the one that
    ``variables.postgres_url`` names, else an embedded server under ``ECOM_HOME``).
    """
    names = variables or AlertVariables()
    load_alert_settings(names)  # what is wrong with them is said now, not at the first alert
    watch = AlertWatch(name, names, sources, provide)

    @dg.sensor(
        name=name,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells of failed checks, failed or hanging runs, lost freshness; once, and when over.",
    )
    def tell(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        if not context.cursor:
            # Kept before anything else is done, since a tick that fails keeps nothing: what happens until
            # the first that does not is news.
            context.update_cursor(beginning(context.instance, datetime.now(UTC)).dump())
            return dg.SkipReason("The watch begins.")
        origin = context.code_location_origin
        location = origin.location_name if origin else ""
        described = descriptions(context.repository_def)
        summary, cursor = watch.tick(context.instance, context.cursor, location, described)
        context.update_cursor(cursor)
        return dg.SkipReason(summary)

    return dg.Definitions(sensors=[tell])


def descriptions(repository: dg.RepositoryDefinition | None) -> Described:
    """What the checks of this code location say about themselves; those of others cannot be asked here."""
    if repository is None:
        return undescribed
    graph = repository.asset_graph

    def described(key: dg.AssetKey, name: str) -> str:
        check = dg.AssetCheckKey(key, name)
        return graph.get_check_spec(check).description or "" if check in graph.asset_check_keys else ""

    return described


class AlertWatch:
    """What the sensor keeps between ticks: the open database, the targets' threads, the last heartbeat.

    Nothing of it has to survive the process: what must, is in the cursor and in the outbox.
    """

    def __init__(
        self,
        name: str = outbox.DEFAULT_SOURCE,
        variables: AlertVariables | None = None,
        sources: Sequence[Source] = (),
        provide: Provide | None = None,
    ) -> None:
        self._name = name
        self._variables = variables or AlertVariables()
        self._sources = sources
        self._provide = provide
        self._held: tuple[ExitStack, Database] | None = None
        self._reader = EventReader()
        self._dispatcher = Shifts(name)
        self._heartbeat = DeadMansSwitch()
        self._outage = Outage()
        # The daemon ticks one at a time, but the UI can test a sensor meanwhile.
        self._lock = threading.Lock()

    def tick(
        self,
        instance: dg.DagsterInstance,
        cursor: str,
        location: str,
        described: Described = undescribed,
    ) -> tuple[str, str]:
        """Watch once and deliver what is due; returns what happened, and the new cursor."""
        with self._lock:
            settings = load_alert_settings(self._variables)
            try:
                database = self._database(settings)
                try:
                    changed, new_cursor = self._watch(
                        database, settings, instance, cursor, location, described
                    )
                finally:
                    # What is stored is delivered, even if something cannot be watched just now.
                    wanted = targets(settings.urls)
                    slow = self._dispatcher.dispatch(database, wanted, PATIENCE_SECONDS)
            except DatabaseError as error:
                self.close()  # an embedded server that was stopped is started by the next tick
                self._outage.seen(settings, error)
                raise
            self._outage.over(settings)
            # Also a sensor that nobody is told of yet: while one does not tick, the platform does not work.
            others = ticks.sensors(instance, self._name)
            unwell = ticks.unwell(others, location, datetime.now(UTC))
            if settings.heartbeat_url is not None and not unwell:
                self._heartbeat.beat(settings.heartbeat_url)
        return _summary(changed, len(wanted), slow, unwell), new_cursor

    def _watch(
        self,
        database: Database,
        settings: AlertSettings,
        instance: dg.DagsterInstance,
        cursor: str,
        location: str,
        described: Described,
    ) -> tuple[int, str]:
        now = datetime.now(UTC)
        ui_url, hidden = settings.ui_url, secrets(settings)
        before = Position.load(cursor)
        found, position = self._reader.read(instance, before, now, ui_url, location, described)
        with database.transaction() as connection:
            hung = outbox.open_keys(connection, Kind.RUN_HANGS, self._name)
            limit = timedelta(seconds=settings.run_seconds)
            found.extend(signs.hanging(runs.unended(instance), hung, limit, now, ui_url))
            failing = outbox.open_keys(connection, Kind.SENSOR_FAILS, self._name)
            others = ticks.sensors(instance, self._name)
            found.extend(ticks.failing(others, failing, location, now, ui_url))
            changed = outbox.apply(connection, found, self._name, hidden)
        # Apart: what a project's own tables refuse does not hold back what Dagster recorded.
        for source in self._sources:
            with database.transaction() as connection:
                own = list(source(connection, before.window(), now, settings))
                changed += outbox.apply(connection, own, self._name, hidden)
        return changed, position.dump()

    def _database(self, settings: AlertSettings) -> Database:
        """The outbox, kept open: an embedded server is not to start and stop with every tick."""
        if self._held is None:
            stack = ExitStack()
            provided = (
                self._provide()
                if self._provide is not None
                else provide_outbox(settings.postgres_url, settings.postgres_dir, settings.postgres_schema)
            )
            self._held = (stack, stack.enter_context(provided))
        return self._held[1]

    def close(self) -> None:
        """Let go of the database; the next tick opens it anew."""
        if self._held is not None:
            stack, _ = self._held
            self._held = None
            stack.close()


def secrets(settings: AlertSettings) -> frozenset[str]:
    """What of the settings must not be shown anywhere."""
    kept: list[Any] = [*settings.urls, settings.heartbeat_url, settings.postgres_url]
    return secrets_of(url for url in kept if url)


def _summary(changed: int, wanted: int, slow: Sequence[str], unwell: Sequence[str]) -> str:
    told = f"{wanted} targets" if wanted else "no target is set: the log and the table `alerts` have them"
    waiting = f"; still being served: {', '.join(slow)}" if slow else ""
    silent = f"; no heartbeat, since {', '.join(unwell)} fails or is silent" if unwell else ""
    return f"{changed} problems raised or over; {told}{waiting}{silent}."
