"""The energies of two classes, sampled together."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from energybased.evaluation.judge import Judge
from energybased.runs.model import Model


def compose(model: Model, pair: tuple[int, int], seed: int, judge: Judge) -> dict[str, Tensor]:
    """Samples `(64, *event)` of one class or the other, and of both at once, by what the judge says of them.

    "or" is the mixture of the two energies, each weighed by its own Z; "and" their product of experts, each to the
    power 1/2 so that the noise, which both know, counts once.
    """
    a, b = (model.energy.given(y) for y in pair)
    names = {f"{pair[0]} or {pair[1]}": a | b, f"{pair[0]} and {pair[1]}": 0.5 * a + 0.5 * b}
    composed = {}
    for name, energy in names.items():
        x = replace(model, energy=energy).sample(64, seed=seed)
        found = judge.probabilities(x).argmax(1)
        shares = ", ".join(f"{(found == digit).float().mean():.0%} a {digit}" for digit in pair)
        composed[f"{name}: to the judge {shares}"] = x
    return composed
