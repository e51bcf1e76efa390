"""The pipeline of ``dlt_merge``, run in the peers' environment."""

import sys
from pathlib import Path

import dlt
import pyarrow as pa
from pyarrow import csv

TYPES = {"user_id": pa.int64(), "event_time": pa.timestamp("us"), "price": pa.decimal128(10, 2)}


@dlt.resource(
    name="dlt_events",
    primary_key="event_id",
    write_disposition={"disposition": "merge", "strategy": "insert-only"},
)
def events(folder):
    """One Arrow table a file."""
    options = csv.ConvertOptions(column_types=TYPES)
    for path in sorted(Path(folder).glob("*.csv")):
        rows = csv.read_csv(path, convert_options=options)
        times = rows["event_time"].cast(pa.timestamp("us", tz="UTC"))
        yield rows.set_column(rows.schema.get_field_index("event_time"), "event_time", times)


pipeline = dlt.pipeline(pipeline_name="peer", destination="postgres", dataset_name="shop")
pipeline.run(events(sys.argv[1]), loader_file_format="csv").raise_on_failed_jobs()
