"""The embedded PostgreSQL: a server in one folder, shared by the processes that use it.

Belongs here: the server's whole life, from its programs to its stop. Does not belong here: what is in
its database (``ecom_platform.store``), and a PostgreSQL that somebody else runs.

``server`` is the way in; the others serve it, each with one concern.
"""

from ecom_platform.server.data_folder import DATABASE, USER
from ecom_platform.server.programs import binary
from ecom_platform.server.server import EmbeddedServer, ServerStatus

__all__ = ["DATABASE", "USER", "EmbeddedServer", "ServerStatus", "binary"]
