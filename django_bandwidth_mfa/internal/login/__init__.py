"""What a session says about the second factor.  Only this folder writes it.

A session is in one of four states:

``anonymous``
    Nobody has given a password.
``parked``
    The first factor passed and a code is owed (:mod:`.parking`).
``exempt``
    Logged in; no code was owed when the policy was last asked.
``verified``
    Logged in; a second factor passed.

The last two are told by the mark (:mod:`.mark`).  :mod:`.first_factor` decides after the password,
:mod:`.second_factor` acts on a right code, and :mod:`.recheck` asks on later requests whether the
mark still holds.  No key ever holds a password, a code or a number.
"""
