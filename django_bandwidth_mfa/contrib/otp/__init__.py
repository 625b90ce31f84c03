"""Integration of django-otp: a device whose codes Bandwidth creates and checks.

::

    INSTALLED_APPS = [
        "django_otp",
        "django_bandwidth_mfa.contrib.otp",  # before the next one
        "django_bandwidth_mfa",
    ]
    MIDDLEWARE = [
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django_bandwidth_mfa.middleware.BandwidthMFAMiddleware",
        "django_otp.middleware.OTPMiddleware",
        "django_bandwidth_mfa.contrib.otp.middleware.IsVerifiedMiddleware",
    ]

``docs/django-otp.md`` describes the steps, and how it works with transactions.
"""
