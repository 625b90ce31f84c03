"""The limits: how counts are kept (``store``), what is limited (``rules``), and for whom
(``addresses``)."""
