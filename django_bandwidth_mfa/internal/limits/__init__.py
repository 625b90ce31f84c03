"""The limits: what is limited (``rules``), for whom (``addresses``), and how it is counted.

``store`` keeps leaky buckets, and ``ladders`` keeps waits that grow.  Both are made of the SQL in
``statements``.
"""
