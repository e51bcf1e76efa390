"""The commands of the shop: ``ecom run`` and ``ecom shop``.

Belongs here: their arguments, what they print, exit codes. Does not belong here: the work.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

import click

from ecom_platform.cli.on_call import json_option
from ecom_platform.cli.runner import run_job
from ecom_platform.errors import UsageError
from ecom_platform.processes.output import print_json
from ecom_platform.settings import DEFAULT_EVENTS, load_settings
from ecom_platform.shop import MAIN_JOB


class WholeNumber(click.ParamType[int]):
    """A whole number of at least ``minimum``."""

    name = "N"

    def __init__(self, minimum: int) -> None:
        self._minimum = minimum

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        if not (text.isascii() and text.isdigit() and self._minimum <= int(text) < 2**63):
            self.fail(f"{text!r} is not a whole number of at least {self._minimum}.", param, ctx)
        return int(text)


class UtcTime(click.ParamType[str]):
    """An ISO 8601 time, passed on as it is written."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a time such as 2026-01-31T12:00:00Z.", param, ctx)
        return str(value)


@click.command()
@click.option("--events", type=WholeNumber(1), default=DEFAULT_EVENTS, show_default=True)
@click.option("--seed", type=WholeNumber(0), help="Same seed and --as-of, same files.")
@click.option("--as-of", type=UtcTime(), help="End of the 90 days the events lie in; default: now.")
@click.option("--rows-per-file", type=WholeNumber(1), help="Default: ECOM_ROWS_PER_FILE, else 1,000.")
@json_option
def run(events: int, seed: int | None, as_of: str | None, rows_per_file: int | None, as_json: bool) -> int:
    """Generate events, stream them into PostgreSQL, audit, run every check."""
    # Inside, since it brings the database driver, which no other command should wait for.
    from ecom_platform.shop.generations import require_not_off, require_shop

    chosen = {"events": events, "seed": seed, "as_of": as_of, "rows_per_file": rows_per_file}
    config = {name: value for name, value in chosen.items() if value is not None}
    settings = load_settings()
    require_not_off(settings)
    return run_job(
        MAIN_JOB,
        {"ops": {"raw_events": {"config": config}}},
        as_json,
        rows=events,
        # Only a database can say whether invented events are wanted in it.
        permission=None if settings.shop_open else partial(require_shop, settings),
    )


@click.group()
def shop() -> None:
    """The shop of invented events that `ecom run` generates."""


@shop.command("remove")
@click.option("--yes", is_flag=True, help="Do it; without this, only say what would be removed.")
@json_option
def remove_shop(yes: bool, as_json: bool) -> int:
    """Take out everything that was generated: events, rejects, ledger, files."""
    from ecom_platform.landing.landing_zone import prepare, zone_of
    from ecom_platform.shop.removal import remove, survey
    from ecom_platform.store.provision import provide

    settings = load_settings()
    with provide(settings) as database:
        zone = zone_of(settings)
        prepare(zone)
        with database.open() as connection:
            found = survey(connection, zone)
        done = None
        if yes and not found.nothing:
            done = remove(database, zone, settings.lock_wait_seconds)
    answer: dict[str, Any] = {"success": yes or found.nothing, "removed": done is not None}
    answer |= (done or found).as_json()
    if found.nothing:
        said = f"Nothing that was generated is in {database.description}."
    else:
        said = f"Removed from {database.description}: {done}." if done else f"This removes {found}."
    if not answer["success"]:
        error = UsageError(
            f"Nothing was removed from {database.description} yet.", "`ecom shop remove --yes` removes it."
        )
        answer["error"] = error.as_json()
        said = f"{said}\n{error}"
    click.echo(said, err=as_json)
    if as_json:
        print_json(answer)
    return 0 if answer["success"] else UsageError.exit_code


COMMANDS: tuple[click.Command, ...] = (run, shop)
