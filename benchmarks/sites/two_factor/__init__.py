"""django-two-factor-auth with its phone method: the password's request also sends the code."""
