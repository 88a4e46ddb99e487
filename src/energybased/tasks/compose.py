"""The energies of two classes, sampled together."""

from __future__ import annotations

from dataclasses import replace

from torch import Generator, Tensor

from energybased.models import EnergyModel

SAMPLES = 64


def compose(model: EnergyModel, pair: tuple[int, int], generator: Generator) -> dict[str, Tensor]:
    """Samples `(64, *event)` of one class or the other, and of both at once, by name.

    "or" is the mixture of the two energies, each weighed by its own Z; "and" their product of experts, each to the
    power 1/2, so that the Gaussian base, which both have, counts once.
    """
    a, b = (model.energy.given(y) for y in pair)
    energies = {f"{pair[0]} or {pair[1]}": a | b, f"{pair[0]} and {pair[1]}": 0.5 * a + 0.5 * b}
    return {
        name: replace(model, energy=energy, conditions=()).sample(SAMPLES, generator=generator)
        for name, energy in energies.items()
    }
