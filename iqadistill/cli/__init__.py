"""The command `iqadistill`: score images, choose images to rate, list datasets, check this machine, prune results."""

import argparse
import io
import sys

from iqadistill import __version__
from iqadistill.cli import choose, cost, datasets, doctor, prune, score
from iqadistill.console import plain_warnings
from iqadistill.errors import InputError, machine_faults_named

COMMANDS = (score, choose, datasets, cost, doctor, prune)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns its exit status (0: fine, 1: problems, 2: invalid input, 130: interrupted)."""
    parser = argparse.ArgumentParser(prog="iqadistill", description=__doc__.partition(":")[2].strip())
    parser.add_argument("--version", action="version", version=f"iqadistill {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(commands)
    given = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may lack signs that names of images have
    try:
        with plain_warnings(), machine_faults_named():
            return given.run(given)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("error: interrupted; what was printed and the files that were written are whole.", file=sys.stderr)
        return 130
