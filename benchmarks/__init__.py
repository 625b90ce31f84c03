"""Measure a sign-in with this app and with other packages: ``python -m benchmarks --help``.

The parent process starts one process for each site of :mod:`benchmarks.sites`, and a provider on a
loopback socket. The sites work one after another, round by round, so that other work of the machine
affects all of them equally.
"""
