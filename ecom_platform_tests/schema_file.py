"""The file ``ecom_platform/store/schema.sql``: the whole schema as it is, for people to read.

    make schema

It is what pg_dump says of a database that the migrations have made, without what says nothing of the
schema. Nothing is made from it; a test holds it to what the migrations make.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from ecom_platform.server import EmbeddedServer, binary
from ecom_platform.store.connection import Database
from ecom_platform.store.schema import migrate

FILE = Path(__file__).parents[1] / "ecom_platform" / "store" / "schema.sql"

HEADER = """\
-- The whole schema as it is, after every migration. Generated: `make schema`. Nothing reads it but people and
-- the test that compares it with what the migrations make.
"""
_ARGUMENTS = ("--schema-only", "--no-owner", "--no-privileges", "--no-comments", "--schema=public")
# What pg_dump says of itself and of its session.
_NOISE = re.compile(
    r"(--.*|SET .*;|SELECT pg_catalog\.set_config.*;|\\(un)?restrict .*|CREATE SCHEMA public;)$"
)


def dumped(url: str) -> str:
    """The schema of the database at ``url`` as the file has it."""
    result = subprocess.run(
        [binary("pg_dump"), *_ARGUMENTS, url], check=True, stdout=subprocess.PIPE, text=True
    )
    lines = [line for line in result.stdout.splitlines() if not _NOISE.match(line)]
    return HEADER + "\n" + re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="ecom-schema-") as folder, EmbeddedServer(Path(folder)) as server:
        migrate(Database(server.url))
        FILE.write_text(dumped(server.url), "utf-8")
    print(f"{FILE.name}: {len(FILE.read_text('utf-8').splitlines())} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
