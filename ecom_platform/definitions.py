"""The code location that `workspace.yaml` names: the engine, and the shop unless ``ECOM_SHOP`` is off."""

from __future__ import annotations

from ecom_platform.processes.starting import without_collections

with without_collections():
    from ecom_platform.orchestration.code_location import definitions
    from ecom_platform.settings import load_settings
    from ecom_platform.shop.attachment import events_alone, shop

    settings = load_settings()
    workload = events_alone() if settings.shop is False else shop(settings)
    defs = definitions(settings, workload)
