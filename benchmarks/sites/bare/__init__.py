"""Django's own login, with a code that is not counted: the lowest cost of a second factor."""
