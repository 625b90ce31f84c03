"""The tasks of a worker. Each function takes the site, and arguments that JSON can contain."""

# The outcomes of a visit: signed in, refused with a message, or failed (an error or no answer).
IN, REFUSED, FAILED = "in", "refused", "failed"
