"""The sites that are measured.  Each is a package with the same three modules.

- ``settings``: Django's settings.
- ``urls``: the pages; ``/page/`` is for people who are signed in with all that the site asks for.
- ``people``: ``add(numbers)`` makes users; ``sign_in(n)`` yields the steps of a sign-in of one.

A step is a name and a request; the generator is sent the answer.  The steps have the same names on
each site.  Where a package does two of them in one request, the request has the name of the first.
"""

# In the order of the tables. The first one is what the others are compared with.
SITES = {
    "bare": "Django's login, and two calls",
    "ours": "django-bandwidth-mfa",
    "two_factor": "django-two-factor-auth",
    "allauth_phone": "django-allauth, phone code",
    "allauth_totp": "django-allauth, TOTP",
    "django_otp": "django-otp, TOTP",
}

# A sign-in, and the page that it leads to.
SIGN_IN = ("login page", "password", "send", "verify")
STEPS = (*SIGN_IN, "page")

# The distributions whose versions matter.
PEERS = ("django-two-factor-auth", "django-allauth", "django-otp")
