"""The common part of the ``mfa_…`` commands: find a user, and show progress."""

from django.contrib.auth import get_user_model
from django.core.management import CommandError
from django.core.management.base import OutputWrapper

from ..types import User


def find_user(name: str) -> User:
    """Return the user who would sign in with ``name``.

    The name is first looked up as a username, with ``get_by_natural_key`` of the manager, as in
    Django's login.  Then it is looked up as a mail address, without regard to case, as packages for
    logins by mail address do.

    :raises CommandError: there is no such user, or there are several.
    """
    model = get_user_model()
    users = model._default_manager
    try:
        return users.get_by_natural_key(name)
    except model.DoesNotExist:
        pass
    except model.MultipleObjectsReturned:
        raise CommandError(f"{name!r} is the name of several users.") from None
    email = model.get_email_field_name()
    columns = {field.name for field in model._meta.get_fields()}
    # An empty name would match all users without an address.
    can_look = name and email in columns
    matches = list(users.filter(**{f"{email}__iexact": name})[:20]) if can_look else []
    if len(matches) > 1:
        names = ", ".join(sorted(user.get_username() for user in matches))
        raise CommandError(f"{name!r} is the e-mail address of several users: {names}.")
    if not matches:
        raise CommandError(f"There is no user {name!r}.")
    return matches[0]


class Progress:
    """A progress bar on a terminal; it prints nothing to a file or a pipe.

    :param stream: the stream on which it is printed.
    :param name: the name of the counted things.
    :param whole: the total number; None if it is not known.
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
            progress = f"[{bar:<{self.WIDTH}}] {done} of {self.whole}"
        else:
            progress = str(done)
        self.stream.write(f"\r{self.name}: {progress}", ending="")
        self.stream.flush()

    def end(self) -> None:
        if self.is_watched:
            self.stream.write("")
