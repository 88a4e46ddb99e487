"""The command `ebm`: one verb a file. A new verb is a file and a line in `VERBS`."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from energybased.errors import Interrupted, UserError, nearest, require

VERBS = {
    "demo": "the first run: real digits, a minute, a page to look at",
    "recipes": "what there is; one recipe with what to expect",
    "train": "a new run, or --resume an old one",
    "sample": "samples of a run: pictures, or rows of a table",
    "score": "anomaly scores of rows, pictures or arrays, as CSV",
    "evaluate": "named measurements of a run, as a table",
    "report": "a run as one HTML file",
    "doctor": "is the machine fit; is a run healthy",
}


def import_own(arguments: Sequence[str]) -> list[str]:
    """Imports what --import names, a module or a file, and returns the other arguments.

    Raises:
        UserError: if there is no such module or file, or it fails.
    """
    left, names = list[str](), list[str]()
    rest = iter(arguments)
    for argument in rest:
        if argument == "--import":
            names.append(next(rest, ""))
        elif argument.startswith("--import="):
            names.append(argument.partition("=")[2])
        else:
            left.append(argument)
    for name in names:
        file = Path(name)
        own = file.suffix == ".py"
        require(not own or file.is_file(), f"there is no file {name} to import")
        sys.path.insert(0, str(file.resolve().parent if own else Path.cwd()))
        try:
            module = importlib.import_module(file.stem if own else name)
        except Exception as error:  # the user's own code can raise anything
            raise UserError(f"cannot import {name!r}: {type(error).__name__}: {error}") from error
        there = getattr(module, "__file__", None)
        taken = own and (there is None or Path(there).resolve() != file.resolve())
        require(not taken, f"{name} has the name of another module, {file.stem!r}: rename the file")
    require(bool(left), "--import goes with a verb")
    return left


def usage() -> str:
    lines = [f"  ebm {verb:<9} {what}" for verb, what in VERBS.items()]
    last = "--import MODULE_OR_FILE, with any verb, imports kernels, recipes, objectives or metrics of your own first"
    return "\n".join(["usage: ebm VERB [OPTIONS]; ebm VERB --help says more", "", *lines, "", last])


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a verb. Returns 0, 1 if something was found unhealthy, 2 for what the user must mend, 130 after Ctrl-C."""
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
        return code
    except UserError as error:
        print(f"ebm: {error}", file=sys.stderr)
        return 2
    except Interrupted as interrupted:
        print(f"ebm: {interrupted}", file=sys.stderr)
        return 130
    except KeyboardInterrupt:
        print("ebm: interrupted", file=sys.stderr)
        return 130
