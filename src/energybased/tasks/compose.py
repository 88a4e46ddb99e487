"""Composition of the energies of two classes."""

from __future__ import annotations

from torch import Generator, Tensor

from energybased.algebra import mixture
from energybased.models import EnergyModel

SAMPLES = 64


def compose(model: EnergyModel, pair: tuple[int, int], generator: Generator) -> dict[str, Tensor]:
    """Samples `(64, *event)` of the two compositions "a or b" and "a and b" of the classes a and b, by name.

    "or" samples the sum of both densities exp(b_y - E(x, y)), with the fitted terms b_y of the classes: without them,
    a constant that training leaves open would decide which class is drawn. "and" samples their product of experts,
    each to the power 1/2, so that the Gaussian base that both energies share counts once.

    Args:
        model: a conditional model.
        pair: the classes a and b.
        generator: source of random numbers.
    """
    a, b = pair
    weights = model.class_terms[[a, b]]
    combined = {
        f"{a} or {b}": lambda energy: mixture([energy.given(a), energy.given(b)], weights),
        f"{a} and {b}": lambda energy: 0.5 * energy.given(a) + 0.5 * energy.given(b),
    }
    return {name: model.composed(way).sample(SAMPLES, generator=generator) for name, way in combined.items()}
