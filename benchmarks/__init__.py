"""Benchmarks: the platform timed against other ways to do the same, in turn, in one run.

Belongs here: making the data, running each path, checking what it stored, and saying so in a table,
a JSON file and plots. Does not belong here: anything that the product or its tests import, and any
assertion about time; what must hold is in the tests.
"""
