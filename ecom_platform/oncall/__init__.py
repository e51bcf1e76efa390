"""What the person on call does: follow a row or a file, correct and replay rejects, load files again.

Belongs here: work on what is in the ledger already. Does not belong here: how a file gets there (``landing``,
``streaming``), or the commands (``cli.on_call``).
"""
