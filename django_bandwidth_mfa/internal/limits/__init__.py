"""The limits.

``rules`` defines what is limited, and ``addresses`` finds the client address.  ``store`` keeps
leaky buckets, and ``ladders`` keeps waits that grow with each step.  Both use the SQL in
``statements``.
"""
