"""The questions that are asked, one module each: ``run(folder, …)`` returns :class:`Findings`.

Belongs here: what is run against what, and the table it ends in. Does not belong here: arguments
(``__main__``), the tools that more than one of them uses (``measure``, ``server``, ``workload``).
"""
