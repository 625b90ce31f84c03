"""The calls of Bandwidth's old SDK, bandwidth-sdk 6.14, against the simulator.

``nox -s oldsdk`` makes an environment with the old SDK and runs these tests. Without it they fail.
The old SDK cannot be installed beside the new one: both packages are named ``bandwidth``.
"""
