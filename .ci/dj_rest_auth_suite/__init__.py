"""dj-rest-auth's own tests, on a site where everybody owes a code."""
