"""The state of the second factor in a session.  Only the modules here write these session keys.

A session is in one of four states:

``anonymous``
    Nobody has given a password.
``parked``
    The first factor has passed, and a code is owed (:mod:`.parking`).
``exempt``
    The user is logged in, and owed no code when the policy was last evaluated.
``verified``
    The user is logged in, and has passed a second factor.

A key of the session, the mark (:mod:`.mark`), tells the last two apart.  :mod:`.first_factor` sets
the state after the password, and :mod:`.second_factor` after a right code.  :mod:`.recheck` checks
on later requests whether the mark is still valid.  The session never contains a password, a code or
a phone number.
"""
