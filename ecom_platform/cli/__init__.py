"""``ecom``: arguments, what a person sees on the terminal, exit codes.

Belongs here: one module a kind of command, and what they share. Does not belong here: the work, which is done
below; programs that live beside one another (``processes``).
"""
