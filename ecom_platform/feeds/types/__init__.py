"""The types of columns: for each, what a text comes to, one by one and a column at a time.

Belongs here: pure functions of texts. Does not belong here: rules over several columns, and rows (``rows``).
"""
