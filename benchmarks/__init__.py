"""What a sign-in costs with this app, and with others: ``python -m benchmarks --help``.

The parent process starts one process for each site of :mod:`benchmarks.sites`, and a provider on a
loopback socket.  It lets the sites work one after another, round by round, so that what else the
machine does falls on each of them.
"""
