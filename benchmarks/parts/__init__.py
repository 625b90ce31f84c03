"""The benchmarks, one in each module.

Each module has a docstring of one line, ``add_arguments(parser)``, and ``run(chosen)``, which
measures and returns Markdown. ``TITLE`` names the section in ``docs/performance.md``.
"""
