"""Examples of one class mapped to another, by chains on the energy of the other class that start at the example."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from energybased.errors import require
from energybased.models.conditioned import Conditioned, conditioned
from energybased.models.degradation import GaussianNoise, normal
from energybased.models.model import checked
from energybased.sampling import Streams, sample
from energybased.sampling.denoise import denoise

FRAMES = 12
TETHER = 2.4  # the choice of the metric class_mapping on validation pictures of MNIST (results/mnist-tasks.json)


class Across(NamedTuple):
    """Mapped examples.

    Args:
        x: the last states of the chains, denoised, `(n, *event)`, in the user's units.
        film: the example and states of its chain, denoised, `(n, frames, *event)`, at logarithmically spaced steps;
            the last one is `x`. None if it was not asked for.
    """

    x: Tensor
    film: Tensor | None


def across(
    model: Any,
    x: Tensor,
    to: Any,
    *,
    tether: float | None = TETHER,
    steps: int | None = None,
    film: bool = False,
    generator: Generator,
) -> Across:
    """Maps examples to a class. The chains start at x with the model's noise, on the energy of the class.

    With a tether, the energy of a measurement y = x' + tether eps is added, where y is the example and x' what it
    becomes: a `GaussianNoise`. Without one, chains that run long forget where they started.

    Args:
        model: an energy model that is conditional on a class.
        x: examples `(n, *event)`, in the user's units.
        to: the class: a number or a label, or numbers `(n,)`.
        tether: its standard deviation, in the model's units: a small one keeps chains near x. None: no tether.
        steps: transitions of each chain. The default is the sampler's length, or more if the tether makes steps
            shorter.
        film: whether to keep states on the way.
        generator: source of random numbers.

    Raises:
        UserError: if the model has no classes, there is no such class, or x does not fit the model.
    """
    require(getattr(model, "classes", 0) > 0, "the model has no classes: it is no energy that is conditional on labels")
    sampler = model.sampler
    require(sampler is not None, "this model has no sampler: pass sampler=... to train")
    target, x = model.given(to), checked(x, model.spec)
    clean = model.spec.domain.encode(x).to(model.place)
    start = clean + model.noise * normal(clean, generator)
    if tether is None:
        chains = Conditioned(target, target.energy, start, sampler.kernel, sampler.length)
    else:
        chains = replace(conditioned(target, x, GaussianNoise(tether), generator), start=start)
    length, streams = chains.steps if steps is None else steps, Streams.of(generator, start)
    if not film:
        return Across(replace(chains, steps=length).ends(streams), None)
    trace = sample(chains.energy, start, chains.kernel, length, streams, keep_every=1, engine="eager").trace
    assert trace is not None
    seen = torch.logspace(0, math.log10(length), FRAMES - 1, device="cpu").round().long() - 1
    states = [denoise(target.energy, v, model.noise, sampler.denoise) for v in trace[seen]]
    frames = torch.stack([x.to(states[0]), *map(model.spec.domain.decode, states)], 1)
    return Across(frames[:, -1], frames)
