"""The workload that the platform grew from: a shop of invented events, and the sales figures made of them.

Belongs here: the generator and its record, the assets ``raw_events``, ``hourly_sales`` and
``conversion_funnel`` with their checks, their SQL, the job ``main``, the report's first screen, and the
commands of the shop. It uses the engine like any other workload (``orchestration.workload``). Does not belong
here: anything that a feed without a shop needs; nothing in the engine imports this package.
"""

from pathlib import Path

# The job that `ecom run` runs.
MAIN_JOB = "main"
SQL = Path(__file__).parent / "sql"
