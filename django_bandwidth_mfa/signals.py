"""What other code may hear of.

All are sent with ``send_robust``: a receiver that raises is logged by Django and changes nothing.
None carries a code or a full number.  ``request`` is None where there was none.

========================  ==========================================================================
``code_sent``             ``challenge``, ``request``: Bandwidth accepted a code.
``code_send_failed``      ``challenge``, ``error`` (a ``BandwidthError``), ``request``
``code_verified``         ``challenge``, ``request``: Bandwidth answered that the code is right, and
                          this is its first use.
``code_rejected``         ``challenge``, ``request``: the code was wrong, or used before.
``locked_out``            ``user``, ``request``: the user reached ``FAILURES_BEFORE_LOCK``.
``login_completed``       ``user``, ``request``, ``method`` (None where no code was owed): once per
                          login, when all that it owed is paid.
``access_refused``        ``error`` (``Unauthorized`` or ``Forbidden``), ``request``: Bandwidth
                          refuses the site itself, so nobody is sent a code.  Wake somebody up.
``conversion_fell``       ``conversion`` (a :class:`~.status.Conversion`): of the last hour's codes
                          so few were typed that somebody may be pumping messages.
``phone_confirmed``       ``phone``, ``user``, ``request``
``phone_removed``         ``phone``, ``user``, ``request``
``recovery_code_used``    ``user``, ``request``
========================  ==========================================================================
"""

from django.dispatch import Signal

code_sent = Signal()
code_send_failed = Signal()
code_verified = Signal()
code_rejected = Signal()
locked_out = Signal()
access_refused = Signal()
conversion_fell = Signal()
login_completed = Signal()
phone_confirmed = Signal()
phone_removed = Signal()
recovery_code_used = Signal()
