"""The phones of users: where they are stored (``source``), how they change (``changes``), and the
suggestion to add one (``suggestion``)."""
