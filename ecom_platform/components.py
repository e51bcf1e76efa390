"""What another Dagster project names and imports: the type for its `defs.yaml`, and the resource for assets
of its own that follow from feeds.

Belongs here: names that stay. Does not belong here: code (``orchestration.component``).
"""

from ecom_platform.orchestration.component import FeedComponent
from ecom_platform.orchestration.resources import PostgresResource

__all__ = ["FeedComponent", "PostgresResource"]
