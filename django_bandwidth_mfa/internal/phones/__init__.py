"""The phones of users: where they are kept (``source``), how they change (``changes``), and the
offer to add one (``suggestion``)."""
