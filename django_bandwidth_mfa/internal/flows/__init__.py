"""The process behind the pages: whose code it is, what it is for, and what a right code does.

:class:`.base.Flow` does the work, and each purpose adds its own part: :mod:`.login`,
:mod:`.step_up` and :mod:`.enrolment`.

Nothing in the browser says who the user is or which challenge is meant.  The user is the session's,
and the challenge is that user's newest for the purpose.  So a new login goes on with the code that
has just arrived, in any browser.
"""
