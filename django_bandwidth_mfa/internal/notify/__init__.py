"""Notifications: log records and signals (``events``), mail to users (``mail``), figures for the
alarm (``statistics``), and names of browsers (``user_agents``)."""
