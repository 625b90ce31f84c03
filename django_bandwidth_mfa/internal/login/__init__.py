"""What a session says about the second factor.  Only this folder writes it."""
