"""Mutants: small faults put into the code one at a time, each of which a named test must find.

Belongs here: the catalogue of mutants, applying them to copies of the checkout, running the tests that
must fail, and the table of what became of each (`make mutants`). Does not belong here: the tests
themselves; a mutant that survives gets one where the others of its subject are.
"""
