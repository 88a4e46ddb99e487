"""Detection of pictures of other data sets, with its targets."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

from rows import Row, Rows

from energybased.recipes import find_recipe
from tables.goals import Line, goal, number, unmeasured, waits
from tables.ours import OWN, is_rival

CHOICE = "the recipe's choice: "  # after which a protocol names the score


def detection() -> Iterator[Line]:
    """Each direction has a target of its own, and a common one: to be no worse than the best baseline."""
    mnist = Rows([*Rows.read("mnist-tasks"), *Rows.read("mnist-rivals")])
    yield from outside(mnist, OWN, ("fashion-mnist", "kmnist", "omniglot"), 0.98, 0.999)
    yield from outside(Rows.read("fashion-tasks"), "fashion", ("mnist",), 0.95, 0.99)


def outside(rows: Rows, system: str, sets: Sequence[str], least: float, stretch: float) -> Iterator[Line]:
    """All scores of a system, judged by the one that its recipe has chosen, beside the best baseline."""
    for other in sets:
        what, asked = f"{system}: AUROC against {other}", f"≥ {least:g}"
        found = rows.all(split="test").by_system(f"auroc_{other}")
        rivals = [r for name, r in found.items() if is_rival(name)]
        if system not in found or not rivals:
            yield unmeasured(what, waits(system, "ood_sets"), f"{asked}, and the best baseline", f"{stretch:g}")
            continue
        ours, rival = found[system], max(rivals, key=lambda r: r["value"])
        scores = {name.removeprefix(system).strip(" ()"): r for name, r in found.items() if name.startswith(system)}
        chosen = chosen_score(ours)
        others = "; ".join(f"{number(r, 4)} {name}" for name, r in scores.items() if name not in ("", chosen))
        spread = math.hypot(ours["sd"] or 0, rival["sd"] or 0)
        bound = max(least, rival["value"] - spread)
        less = f" less {spread:.4f}, the spread of the seeds" if spread else ""
        target = f"{asked} and {rival['value']:.4f}, {rival['system']}{less}"
        then = "" if chosen == find_recipe(system).score_by else " then"
        measured = f"{number(ours, 4)} by {chosen}, the recipe's score{then}; beside it {others}"
        yield goal(what, measured, -ours["value"], (-bound, target), (-stretch, f"{stretch:g}"))


def chosen_score(row: Row) -> str:
    """The name of the score that the recipe of a row has chosen."""
    return re.split("[,:]", row["protocol"].partition(CHOICE)[2])[0]
