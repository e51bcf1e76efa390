"""The ways to load files of events into PostgreSQL that are compared, each a program of its own.

Belongs here: one module a way, and the list of them. Does not belong here: timing and checking,
which is the same for all (``comparison``).
"""

from benchmarks.paths.dlt_merge import DltMerge
from benchmarks.paths.path import LoadPath
from benchmarks.paths.pgloader import PgLoader
from benchmarks.paths.platform import Platform, PlatformAgain
from benchmarks.paths.psql_copy import PsqlCopy
from benchmarks.paths.sling import Sling
from benchmarks.paths.spark_jdbc import SparkJdbc

PATHS: tuple[LoadPath, ...] = (
    Platform("ecom"),
    PlatformAgain("ecom-known"),
    PsqlCopy("copy", streams=1),
    PsqlCopy("copy-2", streams=2),
    SparkJdbc("jdbc-tuned", batch_size=10_000, partitions=2, rewrite=True),
    SparkJdbc("jdbc-seed", batch_size=500, partitions=10, rewrite=False),
    DltMerge("dlt"),
    Sling("sling"),
    PgLoader("pgloader"),
)

__all__ = ["PATHS", "LoadPath"]
