"""What a worker does.  Each function takes the site, and arguments that JSON can hold."""
