"""django-otp with its own login form, which takes the password and a TOTP code at once."""
