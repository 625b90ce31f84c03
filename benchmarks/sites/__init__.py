"""The sites that are measured. Each site is a package with the same three modules.

- ``settings``: Django's settings.
- ``urls``: the pages; ``/page/`` is for people who have completed the site's login.
- ``people``: ``add(numbers)`` makes users; ``sign_in(n)`` yields the steps of one user's sign-in.

A step is a name and a request; the generator receives the answer. The steps have the same names on
each site. If a package does two of them in one request, the request has the name of the first step.
"""

# In the order of the tables. The others are compared with the first.
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
