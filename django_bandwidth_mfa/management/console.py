"""What the ``mfa_…`` commands share: they find a user, and they show progress."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import CommandError
from django.core.management.base import OutputWrapper


def find_user(username: str) -> Any:
    """Return the user whose name is ``username``.

    :raises CommandError: there is no such user.
    """
    model = get_user_model()
    try:
        return model._default_manager.get_by_natural_key(username)
    except model.DoesNotExist:
        raise CommandError(f"There is no user {username!r}.") from None


class Progress:
    """A progress bar on a terminal; it prints nothing to a file or a pipe.

    :param stream: where it is printed.
    :param name: what is counted.
    :param whole: how many there are in all; None if that is not known.
    """

    WIDTH = 30

    def __init__(self, stream: OutputWrapper, name: str, whole: int | None = None) -> None:
        self.stream, self.name, self.whole = stream, name, whole
        self.is_watched = stream.isatty()

    def show(self, done: int) -> None:
        if not self.is_watched:
            return
        if self.whole:
            bar = "#" * min(self.WIDTH, self.WIDTH * done // self.whole)
            told = f"[{bar:<{self.WIDTH}}] {done} of {self.whole}"
        else:
            told = str(done)
        self.stream.write(f"\r{self.name}: {told}", ending="")
        self.stream.flush()

    def end(self) -> None:
        if self.is_watched:
            self.stream.write("")
