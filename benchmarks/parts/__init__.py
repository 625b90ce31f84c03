"""The benchmarks, one module each.

Each has a line of documentation, ``add_arguments(parser)``, and ``run(chosen)``, which measures and
returns Markdown.  ``TITLE`` names the section in ``docs/performance.md``.
"""
