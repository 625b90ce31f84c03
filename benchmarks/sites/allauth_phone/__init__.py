"""django-allauth: login by a code to the phone, without a password."""
