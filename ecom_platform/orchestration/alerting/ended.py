"""What a command tells of the run that it has made: without a daemon, nobody else would.

Belongs here: signs of one run and of its files, stored and sent as the sensor does it. What both see is one
problem: a sign is compared by its time with what is known. Does not belong here: the sensor (``sensor``),
commands that could not begin (``alerts.unbegun``).
"""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg

from ecom_platform.alerts import outage, outbox
from ecom_platform.alerts.problem import Raised, Resolved, Sign, Window
from ecom_platform.alerts.shifts import Shifts
from ecom_platform.alerts.targets import targets
from ecom_platform.alerts.unbegun import NOBODY, PATIENCE_SECONDS, key, told
from ecom_platform.errors import DatabaseError
from ecom_platform.orchestration.alerting.platform import file_source
from ecom_platform.orchestration.alerting.reading import Place, signs_of_run
from ecom_platform.orchestration.alerting.sensor import descriptions, secrets
from ecom_platform.settings import Settings
from ecom_platform.store.provision import provide

# The code location's name in workspace.yaml: what the sensor takes a run for that has none itself.
LOCATION = "ecom_platform"


def tell_of_run(settings: Settings, defs: dg.Definitions, job: str, run_id: str, began: datetime) -> str:
    """Store what the run raised or ended, and have it sent; returns what to say of that, empty where the run
    raised nothing. Never raises: what was loaded is loaded."""
    wanted = [target.name for target in targets(settings.alerts.urls)]
    try:
        try:
            return _tell(settings, defs, job, run_id, began)
        except DatabaseError as error:
            return told(wanted, outage.down(settings.alerts, error)) if wanted else NOBODY
    except Exception as failure:
        return f"Whether anything is to be told is not known: {type(failure).__name__}."


def _tell(settings: Settings, defs: dg.Definitions, job: str, run_id: str, began: datetime) -> str:
    now = datetime.now(UTC)
    wanted = [target.name for target in targets(settings.alerts.urls)]
    hidden = secrets(settings.alerts)
    with dg.DagsterInstance.get() as instance:
        described = descriptions(defs.get_repository_def())
        place = Place(instance, settings.alerts.ui_url, LOCATION, described)
        found: list[Sign] = [*signs_of_run(place, run_id), Resolved(key(job), "It began again.", now)]
    with provide(settings) as database:
        with database.transaction() as connection:
            outbox.apply(connection, found, secrets=hidden)
            own = list(file_source(connection, Window(began, began), now, settings.alerts))
            outbox.apply(connection, own, secrets=hidden)
        Shifts().dispatch(database, targets(settings.alerts.urls), PATIENCE_SECONDS)
        outage.up(settings.alerts)
        if not any(isinstance(sign, Raised) for sign in [*found, *own]):
            return ""
        with database.open() as connection:
            left = [name for name in wanted if outbox.on_their_way(connection, [name])]
    return told(wanted, left) if wanted else f"{NOBODY} The table `alerts` has it."
