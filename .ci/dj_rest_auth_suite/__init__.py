"""dj-rest-auth's own tests, on a site where all users need a code."""
