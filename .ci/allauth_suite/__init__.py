"""allauth's own tests of its headless API, on a site where everybody owes a code."""
