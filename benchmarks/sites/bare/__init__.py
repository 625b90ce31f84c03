"""Django's own login, with a code that nothing counts: the least that a second factor can cost."""
