"""The command that repeats a run."""

from __future__ import annotations

import html
import json
import shlex
from collections.abc import Iterator
from typing import ClassVar

from energybased.errors import UserError
from energybased.recipes import find_recipe, read_recipe
from energybased.report.section import Contents
from energybased.settings import differences


class Repeat:
    """The command that repeats the run, and every setting."""

    title: ClassVar[str] = "How to repeat it"
    needs: ClassVar[tuple[str, ...]] = ()

    def bodies(self, contents: Contents) -> Iterator[str]:
        facts = contents.run.recipe
        command = contents.command
        if not command:
            recipe = read_recipe(facts["settings"])
            try:
                command = " ".join(["ebm train", recipe.recipe, *differences(recipe, find_recipe(recipe.recipe))])
                begun = facts.get("init_from")  # none in runs of earlier versions
                command += f" --from {shlex.quote(begun['model'])}" if begun else ""
            except UserError:  # a recipe of the user's own
                command = f"# trained in Python: energybased.train, recipe {recipe.recipe}"
        yield f"<pre>{html.escape(command)}</pre>"
        settings = html.escape(json.dumps(facts, indent=1))
        yield f"<details><summary>every setting</summary><pre>{settings}</pre></details>"
