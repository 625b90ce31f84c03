"""Tags for the templates of the pages: ``{% load bandwidth_mfa %}``."""

__all__: list[str] = []
