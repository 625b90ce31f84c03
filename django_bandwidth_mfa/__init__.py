"""Two-factor login for Django: a code by SMS or phone call, through Bandwidth's MFA API."""

__version__ = "0.1.0"

__all__ = ["__version__"]
