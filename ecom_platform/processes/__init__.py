"""How a program lives among others: signals, standard streams, children that end with it.

Belongs here: what any long-running program needs. Does not belong here: anything about files of events.
"""
