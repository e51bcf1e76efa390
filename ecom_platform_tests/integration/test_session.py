"""The session on a laptop, as another user of the machine finds it."""

from __future__ import annotations

import socket
import struct

from pyspark.sql import SparkSession

_RPC_REQUEST = 3


def answer_to_a_stranger(port: int) -> bytes:
    """What Spark's transport answers to a request by somebody who has not shown that he knows the secret."""
    body = b"let me in"
    message = struct.pack(">bqi", _RPC_REQUEST, 1, len(body)) + body
    with socket.create_connection(("127.0.0.1", port), timeout=240) as connection:
        connection.sendall(struct.pack(">q", 8 + len(message)) + message)
        return connection.recv(65_536)


def test_another_user_of_this_machine_is_not_let_in(spark: SparkSession) -> None:
    """The driver listens on a loopback port, which every user of the machine reaches."""
    conf = spark.sparkContext.getConf()
    refused = answer_to_a_stranger(int(conf.get("spark.driver.port", "0")))
    assert b"Expected SaslMessage" in refused, refused
    # The secret is made by Spark for this session: nobody wrote it down, and no configuration shows it.
    assert conf.get("spark.authenticate.secret") is None
    assert spark.range(10).repartition(2).count() == 10
