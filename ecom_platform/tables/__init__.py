"""The life of a feed's table: what a changed declaration asks of it, and the ways out of a wrong one.

Belongs here: what changes a table that has rows, its ledger and its files together, and can be begun again
when it was killed. Does not belong here: loading files (``streaming``), the person on call (``oncall``).
"""
