"""The calls of Bandwidth's old SDK, bandwidth-sdk 6.14, against the simulator.

``nox -s oldsdk`` makes an environment with the old SDK and runs these tests. Without the old SDK
they fail. The old and the new SDK cannot be installed together: both packages are named
``bandwidth``.
"""
