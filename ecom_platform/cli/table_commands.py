"""``ecom feeds plan``, ``apply`` and what else changes a feed's table; ``ecom unload``.

Belongs here: arguments and what is printed. Does not belong here: the work, which is in ``tables``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ecom_platform.cli.feeds import feeds
from ecom_platform.cli.on_call import json_option
from ecom_platform.processes.output import print_json
from ecom_platform.settings import load_settings

__all__ = ["feeds"]

if TYPE_CHECKING:
    from ecom_platform.tables.planning import FeedPlan

_NEXT = {"loses": "rebuild", "rewrites": "apply", "renames": "apply"}


@feeds.command()
@click.argument("names", nargs=-1, metavar="[NAME…]")
@json_option
def plan(names: tuple[str, ...], as_json: bool) -> int:
    """What has to be done for tables to be as they are declared; exit code 1 if something is to do."""
    from ecom_platform.catalog import catalog
    from ecom_platform.store.provision import provide
    from ecom_platform.tables.planning import planned

    settings = load_settings()
    with provide(settings) as database:
        found = planned(database, catalog(settings), names)
    return _report(found, all(one.is_right for one in found), as_json, "nothing to do")


@feeds.command()
@click.argument("names", nargs=-1, metavar="[NAME…]")
@json_option
def apply(names: tuple[str, ...], as_json: bool) -> int:
    """Bring tables to what is declared, as their owner; what would lose rows is refused."""
    from ecom_platform.catalog import catalog
    from ecom_platform.store.provision import provide
    from ecom_platform.tables.planning import applied

    settings = load_settings()
    with provide(settings) as database:
        done = applied(database, catalog(settings), names, settings.lock_wait_seconds)
    return _report(done, not any(one.error for one in done), as_json, "as declared")


def _report(found: list[FeedPlan], success: bool, as_json: bool, right: str) -> int:
    if as_json:
        print_json({"success": success, "feeds": [one.as_json() for one in found]})
        return 0 if success else 1
    for one in found:
        if one.error is not None:
            click.echo(f"{one.feed}: {one.error.message}")
            click.echo(f"    {one.error.remedy}")
            continue
        changes = one.plan.changes if one.plan else []
        click.echo(
            f"{one.feed}: {'' if changes else right}".rstrip(": ") if changes else f"{one.feed}: {right}"
        )
        for change in changes:
            click.echo(f"    {change.kind:10} {change.word}: {change.what}")
        for command in sorted({_NEXT[str(change.kind)] for change in changes if str(change.kind) in _NEXT}):
            if right == "nothing to do":
                click.echo(f"    `ecom feeds {command} {one.feed}`")
    return 0 if success else 1
