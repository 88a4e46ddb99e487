"""Composition of the energies of two classes."""

from __future__ import annotations

from dataclasses import replace

from torch import Generator, Tensor

from energybased.models import EnergyModel

SAMPLES = 64


def compose(model: EnergyModel, pair: tuple[int, int], generator: Generator) -> dict[str, Tensor]:
    """Samples `(64, *event)` of the two compositions "a or b" and "a and b" of the classes a and b, by name.

    "or" samples the mixture of the two densities, in which each has a weight proportional to its Z. "and" samples their
    product of experts, each to the power 1/2, so that the Gaussian base that both energies share counts once.

    Args:
        model: a conditional model.
        pair: the classes a and b.
        generator: source of random numbers.
    """
    a, b = (model.energy.given(y) for y in pair)
    energies = {f"{pair[0]} or {pair[1]}": a | b, f"{pair[0]} and {pair[1]}": 0.5 * a + 0.5 * b}
    return {
        name: replace(model, energy=energy, conditions=(), fitted=None).sample(SAMPLES, generator=generator)
        for name, energy in energies.items()
    }
