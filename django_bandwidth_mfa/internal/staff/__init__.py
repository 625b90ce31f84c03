"""The common part of the admin and the commands: figures (``status``), users who need a phone
(``missing``) and the reset (``reset``)."""
