"""The code location that `workspace.yaml` names: the engine, and the shop unless ``ECOM_SHOP`` is off."""

from __future__ import annotations

from ecom_platform.orchestration.code_location import definitions
from ecom_platform.orchestration.workload import Workload
from ecom_platform.settings import load_settings
from ecom_platform.shop.attachment import shop

settings = load_settings()
workload = Workload() if settings.shop is False else shop(settings)
defs = definitions(settings, workload)
