"""Fault injection: break an ingest at a random moment, run it to its end, compare every row.

    python -m ecom_platform_tests.torture --rounds 50 --seed 7 --events 300000 --landing bucket

Each round has a database, a landing zone and dirty files of its own. `ecom ingest` runs as people
run it, in a process of its own with a real Spark; one fault strikes at a moment between its claim of
the files and its end; then `ecom ingest` runs again, and the reference says what must be in the
tables. The first difference ends the program, with the evidence kept.

The seed fixes the files, the faults and the moments they are meant for; what a fault meets at that
moment is the machine's affair, so a fault that came too late is counted apart.
"""
