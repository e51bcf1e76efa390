"""The pipeline that this platform grew from, at its own setting: a program of ``main_job``.

One file of 1,000 rows a micro-batch, a micro-batch every ten seconds, JDBC in batches of 500 over
ten partitions. Prints the seconds from the start of the query to the end of its last batch.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

SCHEMA = """
event_id string, user_id bigint, product_id string, event_type string, event_time timestamp,
price decimal(10,2), category string, user_device string, user_location string
"""


def main(folder: str, checkpoint: str, url: str, user: str, driver: str) -> None:
    """Stream every file of ``folder`` into the table ``loaded``."""
    spark = (
        SparkSession.builder.master("local[1]")
        .config("spark.driver.memory", "1g")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.jars", driver)
        .getOrCreate()
    )
    files = len(list(Path(folder).glob("*.csv")))
    done = 0

    def store(batch: DataFrame, _: int) -> None:
        nonlocal done
        properties = {
            "user": user,
            "password": os.environ["JDBC_PASSWORD"],
            "batchsize": "500",
            "driver": "org.postgresql.Driver",
        }
        target = f"{url}?stringtype=unspecified"
        batch.repartition(10).write.jdbc(target, "loaded", mode="append", properties=properties)
        done += 1

    started = time.perf_counter()
    source = spark.readStream.schema(SCHEMA).option("header", True).option("maxFilesPerTrigger", 1)
    query = (
        source.csv(folder)
        .writeStream.foreachBatch(store)
        .option("checkpointLocation", checkpoint)
        .trigger(processingTime="10 seconds")
        .start()
    )
    while done < files and query.isActive:
        time.sleep(0.05)
    seconds = time.perf_counter() - started
    query.stop()
    spark.stop()
    print(seconds)


if __name__ == "__main__":
    main(*sys.argv[1:])
