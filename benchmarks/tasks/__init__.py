"""The tasks of a worker. Each function takes the site, and arguments that JSON can contain."""

# How a visit ends: the visitor is in, was told why not, or got an error or no answer.
IN, REFUSED, FAILED = "in", "refused", "failed"
