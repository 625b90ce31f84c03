"""Integrations: one folder for each other package that this app works with."""
