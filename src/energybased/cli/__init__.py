"""The command `ebm`: one verb a file. A new verb is a file and a line in `VERBS`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from energybased.errors import Interrupted, UserError, nearest

VERBS = {
    "demo": "the first run: real digits, a minute, a page to look at",
    "recipes": "what there is; one recipe with what to expect",
    "train": "a new run, or --resume an old one",
    "sample": "pictures from a run, with the way of its chains",
    "score": "anomaly scores of pictures or arrays, as CSV",
    "report": "a run as one HTML file",
    "doctor": "is the machine fit; is a run healthy",
}


def usage() -> str:
    lines = [f"  ebm {verb:<9} {what}" for verb, what in VERBS.items()]
    return "\n".join(["usage: ebm VERB [OPTIONS]; ebm VERB --help says more", "", *lines])


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a verb. Returns 0, 1 if something was found unhealthy, 2 for what the user must mend, 130 after Ctrl-C."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage())
        return 0
    verb, *rest = arguments
    try:
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
