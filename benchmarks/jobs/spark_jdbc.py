"""The hand-written Spark job of ``spark_jdbc``, a program of its own: nothing of the product's."""

from __future__ import annotations

import os
import sys

from pyspark.sql import SparkSession

SCHEMA = """
event_id string, user_id bigint, product_id string, event_type string, event_time timestamp,
price decimal(10,2), category string, user_device string, user_location string
"""


def main(folder: str, url: str, user: str, batch_size: str, partitions: str, driver: str) -> None:
    """Append every CSV file of ``folder`` to the table ``loaded``."""
    spark = (
        SparkSession.builder.master("local[*]")
        .config("spark.driver.memory", "2g")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.jars", driver)
        .getOrCreate()
    )
    rows = spark.read.csv(folder, schema=SCHEMA, header=True)
    rows.repartition(int(partitions)).write.jdbc(
        url,
        "loaded",
        mode="append",
        properties={
            "user": user,
            "password": os.environ["JDBC_PASSWORD"],
            "batchsize": batch_size,
            "driver": "org.postgresql.Driver",
        },
    )
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
