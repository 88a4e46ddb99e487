"""Chains of an energy over data that are conditioned on degraded examples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from energybased.energy import Energy
from energybased.models.degradation import Degradation, encoded
from energybased.models.model import by_chunks
from energybased.sampling import AnyKernel, Streams, sample
from energybased.sampling.denoise import denoise
from energybased.sampling.stiffened import stiffened


@dataclass(frozen=True, eq=False)
class Conditioned:
    """Chains on p(v | y), where v is an example with the model's noise and y what is known of it.

    Args:
        model: an `EnergyModel` with a sampler.
        energy: -log p(v | y) up to a constant, over v `(n, *event)` in the model's units.
        start: first states, `(n, *event)`.
        kernel: one transition.
        steps: number of transitions.
    """

    model: Any
    energy: Energy
    start: Tensor
    kernel: AnyKernel
    steps: int

    def states(self, streams: Streams) -> Tensor:
        """The last states `(n, *event)`, in the model's units."""

        def run(rows: Tensor) -> Tensor:
            # A sum over ten classes takes the compiler minutes, so these chains are never compiled.
            chains = self.energy.select(rows), self.start[rows], self.kernel, self.steps, streams.select(rows)
            return sample(*chains, engine="eager").x

        return by_chunks(run, len(self.start), self.model.place, self.model.processes)

    def ends(self, streams: Streams) -> Tensor:
        """The last states, denoised, `(n, *event)`, in the user's units."""
        found: Tensor = self.model.spec.domain.decode(self.denoised(self.states(streams)))
        return found

    def denoised(self, x: Tensor) -> Tensor:
        """States x `(n, *event)`, denoised."""
        model, density = self.model, self.model.marginal

        def clean(rows: Tensor) -> Tensor:
            return denoise(density.select(rows), x[rows], model.noise, model.sampler.denoise)

        return by_chunks(clean, len(x), model.place, model.processes)


def conditioned(
    model: Any, y: Tensor, degradation: Degradation, generator: Generator, state: Tensor | None = None
) -> Conditioned:
    """Chains of a model on p(v | y) for degraded examples y, with noise added to y as `Degradation.evidence` says.

    At a temperature T other than 1, the energy of the measurement is multiplied by T, as if that of the model were
    divided by it. The sampler's steps are shortened, and there are more of them, if the measurement is narrow.

    Args:
        model: an `EnergyModel`; if a class must still be given, v has the density summed over the classes.
        y: degraded examples `(n, *measured)`, as `Degradation.check` returns them.
        degradation: what was done to them.
        generator: source of random numbers.
        state: where the chains begin, `(n, *event)` in the model's units; fresh starts and y if not given.

    Raises:
        UserError: if the model has no sampler, or was given conditions of another number of rows.
    """
    model.require_rows(len(y))
    sampler, energy = model.require_sampler(), model.marginal
    evidence = degradation.evidence(encoded(y, model.spec, model.place), model.noise, generator)
    start, bounds = evidence.start, getattr(sampler.kernel, "bounds", None)
    start = start if bounds is None else start.clamp(*bounds)
    if evidence.energy is not None:
        energy = energy + float(getattr(sampler.kernel, "temperature", 1.0)) * evidence.energy
    if evidence.pinned is not None:
        energy = energy.pin(start, ~evidence.pinned)
    if state is not None:
        start = state
    elif evidence.fresh is not None:
        start = torch.where(evidence.fresh, model.start(len(start), generator=generator), start)
    kernel, factor = stiffened(sampler.kernel, evidence.curvature)
    return Conditioned(model, energy, start, kernel, math.ceil(sampler.length / factor))
