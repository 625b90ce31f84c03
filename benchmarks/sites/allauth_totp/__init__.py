"""django-allauth: the password, then the code of an authenticator app."""
