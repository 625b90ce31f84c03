"""This app, with its default settings; the limit of the whole site is out of the way."""
