"""Codes: how they are sent, tried and spent, and what Bandwidth answers."""
