"""Codes: how they are sent, checked and used up, and the calls to Bandwidth."""
