"""allauth's own tests of its headless API, on a site where all users need a code."""
