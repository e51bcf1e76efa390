"""The feeds that the package brings, as the code location has them."""

from __future__ import annotations

from ecom_platform.catalog import Catalog, packaged
from ecom_platform.orchestration.declared import DeclaredFeeds

PACKAGED_FEEDS = DeclaredFeeds(Catalog(dict(packaged())))
