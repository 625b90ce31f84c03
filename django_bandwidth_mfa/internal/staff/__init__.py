"""What the admin and the commands share: figures (``status``) and the reset (``reset``)."""
