"""The command line: ``python -m benchmarks sign-in``, for example; ``all`` runs all that
measure."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys

from benchmarks import report

# Names on the command line. The first ones are also those of the markers in the document.
MEASURES = ("sign-in", "client", "counter", "scale", "load")
PARTS = (*MEASURES, "check")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    commands = parser.add_subparsers(dest="part", required=True)
    parts = {
        name: importlib.import_module(f"benchmarks.parts.{name.replace('-', '_')}")
        for name in PARTS
    }
    for name, part in parts.items():
        command = commands.add_parser(name, help=part.__doc__)
        part.add_arguments(command)
        if name in MEASURES:
            add_write(command)
    add_write(commands.add_parser("all", help=f"{', '.join(MEASURES)}, one after another"))

    chosen = parser.parse_args()
    # So that databases and processes are tidied away as after Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
    if chosen.part == "check":
        print(parts["check"].run(chosen, None))
        return
    for name in MEASURES if chosen.part == "all" else [chosen.part]:
        options = parser.parse_args([name]) if chosen.part == "all" else chosen
        text = parts[name].run(options, report.DOCUMENT.parent if chosen.write else None)
        print(text, flush=True)
        if chosen.write:
            report.write_part(name, text)


def add_write(command: argparse.ArgumentParser) -> None:
    place = f"docs/{report.DOCUMENT.name}"
    command.add_argument("--write", action="store_true", help=f"put the result into {place}")


if __name__ == "__main__":
    main()
