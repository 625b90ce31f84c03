"""What a command tells of single users: some of it on the screen, all of it in a file."""

from __future__ import annotations

import csv
import os
import re
from collections import Counter, defaultdict
from typing import TextIO

from django.core.management import CommandError

from ..internal import numbers

# How many users of each kind are named on the screen.
LISTED = 20

# A name like this may be a phone number, which is shown nowhere in full.
NUMBER_LIKE = re.compile(r"\+?(?:[\s().-]*\d){10,}")

# A spreadsheet runs a cell that begins so as a formula, and people choose their names.
FORMULA_STARTS = ("=", "+", "-", "@")


class Findings:
    """What was found, by its kind.

    :param path: the file of all findings, in CSV; None for no file.
    :raises CommandError: the file cannot be written.
    """

    COLUMNS = ("what", "username", "pk", "place", "detail")

    def __init__(self, path: str | None) -> None:
        self.counts: Counter[str] = Counter()
        self._told: defaultdict[str, list[str]] = defaultdict(list)
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
        """Note one finding.

        :param what: the kind of it.
        :param username: empty if it is not known.
        :param pk: the primary key of the user; None if it is not known.
        :param place: where the source has it.
        :param detail: what else there is to say.
        """
        self.counts[what] += 1
        name = shown(username)
        if len(self._told[what]) < LISTED:
            who = [part for part in (name, f"pk {pk}" if pk is not None else "") if part]
            if place:
                self._told[what].append(f"{place} ({', '.join([*who, detail])})")
            else:
                self._told[what].append(f"{', '.join(who)} ({detail})")
        if self._file is not None:
            cell = f"'{name}" if name.startswith(FORMULA_STARTS) else name
            self._rows.writerow([what, cell, "" if pk is None else pk, place, detail])

    def named(self, what: str) -> str:
        """Return the first of those found, and how many more there are."""
        told = self._told[what]
        more = self.counts[what] - len(told)
        end = f" and {more} more" if more else ""
        if more and self._path is None:
            end += " (--list FILE names all)"
        return f"{', '.join(told)}{end}"

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def shown(username: str) -> str:
    """Return ``username`` as it may be printed: on one line, and masked if it is a number."""
    if NUMBER_LIKE.fullmatch(username.strip()):
        return numbers.mask(username.strip())
    return "".join(letter if letter.isprintable() else "?" for letter in username[:150])


def _private(path: str, flags: int) -> int:
    """Open a file that only its owner can read: it says who has no second factor."""
    return os.open(path, flags, 0o600)
