"""Findings of a command about single users: a few on the screen, and all in a file."""

from __future__ import annotations

import csv
import os
import re
from collections import Counter, defaultdict
from typing import TextIO

from django.core.management import CommandError

from ..internal import numbers

# The most users of each kind that are named on the screen.
LISTED = 20

# A username in this form may be a phone number, which must be masked.
NUMBER_LIKE = re.compile(r"\+?(?:[\s().-]*\d){10,}")

# A spreadsheet runs a cell with such a start as a formula, and attackers can choose their names.
FORMULA_STARTS = ("=", "+", "-", "@")


class Findings:
    """The findings of a command, by their kind.

    :param path: the file of all findings, in CSV; None for no file.
    :raises CommandError: the file cannot be written.
    """

    COLUMNS = ("what", "username", "pk", "place", "detail")

    def __init__(self, path: str | None) -> None:
        self.counts: Counter[str] = Counter()
        self._listed: defaultdict[str, list[str]] = defaultdict(list)
        self._path = path
        self._file: TextIO | None = None
        if path is not None:
            try:
                self._file = open(  # noqa: SIM115  `close` closes it
                    path, "w", encoding="utf-8", newline="", opener=_private
                )
            except OSError as error:
                raise CommandError(f"{path} cannot be written: {error}") from error
            self._rows = csv.writer(self._file)
            self._rows.writerow(self.COLUMNS)

    def add(
        self, what: str, *, username: str, pk: object, place: str = "", detail: str = ""
    ) -> None:
        """Add one finding.

        :param what: the kind of the finding.
        :param username: the username; empty if it is not known.
        :param pk: the primary key of the user; None if it is not known.
        :param place: the place in the source; may be empty.
        :param detail: further details; may be empty.
        """
        self.counts[what] += 1
        name = shown(username)
        if len(self._listed[what]) < LISTED:
            who = [part for part in (name, f"pk {pk}" if pk is not None else "") if part]
            if place:
                self._listed[what].append(f"{place} ({', '.join([*who, detail])})")
            else:
                self._listed[what].append(f"{', '.join(who)} ({detail})")
        if self._file is not None:
            cell = f"'{name}" if name.startswith(FORMULA_STARTS) else name
            self._rows.writerow([what, cell, "" if pk is None else pk, place, detail])

    def named(self, what: str) -> str:
        """Return the first findings of a kind, and the number of further ones."""
        listed = self._listed[what]
        more = self.counts[what] - len(listed)
        end = f" and {more} more" if more else ""
        if more and self._path is None:
            end += " (--list FILE names all)"
        return f"{', '.join(listed)}{end}"

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def shown(username: str) -> str:
    """Return ``username`` for printing: on one line, and masked if it may be a phone number."""
    if NUMBER_LIKE.fullmatch(username.strip()):
        return numbers.mask(username.strip())
    return "".join(letter if letter.isprintable() else "?" for letter in username[:150])


def _private(path: str, flags: int) -> int:
    """Open a file that only its owner can read, because it lists users without a second factor."""
    return os.open(path, flags, 0o600)
