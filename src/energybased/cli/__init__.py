"""The command `ebm`, with one verb per file. To add a verb, write its file here and add it to `VERBS`."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from energybased.errors import Interrupted, UserError, nearest, require

VERBS = {
    "demo": "train on handwritten digits for a minute, and write a report",
    "recipes": "list the recipes, or show one with its settings",
    "train": "start a run, or continue one with --resume",
    "sample": "draw samples from a run: pictures, or rows of a table",
    "score": "compute anomaly scores of rows, pictures or arrays, as CSV",
    "detect": "find anomalous rows of a table, or pictures, with p-values and reasons, as CSV",
    "classify": "name the class of rows, pictures or arrays, with its probability, as CSV",
    "restore": "restore degraded pictures, map them to a class, or fill a table's empty cells",
    "evaluate": "measure a run, and print a table of the values",
    "report": "write a report of a run as one HTML file",
    "doctor": "check this machine, or the health of a run",
}


def import_own(arguments: Sequence[str]) -> list[str]:
    """Imports the modules and files that --import names, and returns the other arguments.

    Raises:
        UserError: if there is no such module or file, or its code raises an exception.
    """
    others, names = list[str](), list[str]()
    remaining = iter(arguments)
    for argument in remaining:
        if argument == "--import":
            names.append(next(remaining, ""))
        elif argument.startswith("--import="):
            names.append(argument.partition("=")[2])
        else:
            others.append(argument)
    for name in names:
        file = Path(name)
        is_file = file.suffix == ".py"
        require(not is_file or file.is_file(), f"there is no file {name} to import")
        sys.path.insert(0, str(file.resolve().parent if is_file else Path.cwd()))
        try:
            module = importlib.import_module(file.stem if is_file else name)
        except Exception as error:  # the user's own code can raise anything
            raise UserError(f"cannot import {name!r}: {type(error).__name__}: {error}") from error
        source = getattr(module, "__file__", None)
        other = is_file and (source is None or Path(source).resolve() != file.resolve())
        require(not other, f"{name} has the name of another module, {file.stem!r}: rename the file")
    require(bool(others), "--import needs a verb")
    return others


def usage() -> str:
    lines = [f"  ebm {verb:<9} {what}" for verb, what in VERBS.items()]
    last = (
        "With any verb, --import MODULE_OR_FILE first imports kernels, recipes, objectives or metrics of your own.\n"
        'It runs the file: put what only a script should do under if __name__ == "__main__":.'
    )
    return "\n".join(["usage: ebm VERB [OPTIONS]\n       ebm VERB --help", "", *lines, "", last])


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a verb and returns the exit status.

    It is 0, 1 if a check failed or the guard stopped training, 2 for an error of the user, 130 after Ctrl-C, or 141 if
    the reader of the output, such as `head`, has gone.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage())
        return 0
    logging.basicConfig(format="%(message)s", level=logging.INFO, force=False)
    logging.getLogger("energybased").setLevel(logging.INFO)
    try:
        arguments = import_own(arguments)
        verb, *rest = arguments
        if verb not in VERBS:
            raise UserError(f"there is no verb {verb!r}: {nearest(verb, VERBS)}")
        code: int = importlib.import_module(f"energybased.cli.{verb}").run(rest)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes it once more when it ends
        return 141
    except (UserError, Interrupted) as error:
        if not error.told:
            print(f"ebm: {error}", file=sys.stderr)
        return 130 if isinstance(error, Interrupted) else 2
    except KeyboardInterrupt:
        print("ebm: interrupted", file=sys.stderr)
        return 130
