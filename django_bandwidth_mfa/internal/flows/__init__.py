"""The processes behind the pages and the API: login, step-up and enrolment.

:class:`.base.Flow` does the common work.  Each purpose has a subclass: :mod:`.login`,
:mod:`.step_up` and :mod:`.enrolment`.

The browser sends neither the user nor the challenge.  The user is that of the session, and the
challenge is the newest one of this user for the purpose.  So a new login, in any browser, can use
the code that has just arrived.
"""
