"""What a worker does.  Each function takes the site, and arguments that JSON can hold."""

# How a visit ends: the visitor is in, was told why not, or got an error or no answer.
IN, REFUSED, FAILED = "in", "refused", "failed"
