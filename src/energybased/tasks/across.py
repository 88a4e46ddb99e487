"""Examples of one class mapped to another: by chains, or by noise and the flow through levels of noise."""

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
from energybased.models.noise_conditional import NoiseConditionalModel
from energybased.sampling import Streams, sample
from energybased.sampling.denoise import denoise

FRAMES = 12  # of a chain
TETHER = 2.4  # the choice of the metric class_mapping on validation pictures of MNIST (results/mnist-tasks.json)


class Across(NamedTuple):
    """Mapped examples.

    Args:
        x: the last states of the chains, denoised, `(n, *event)`, in the user's units.
        film: the example and states of its chain, denoised, `(n, frames, *event)`, at logarithmically spaced steps, or
            at each level of the flow; the last one is `x`. None if it was not asked for.
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

    With a model over levels of noise, the example gets noise of the level `tether` instead, and follows the flow of the
    class down from there (`NoiseConditionalModel.redraw`).

    Args:
        model: an energy model that is conditional on a class.
        x: examples `(n, *event)`, in the user's units.
        to: the class: a number or a label, or numbers `(n,)`.
        tether: its standard deviation, in the model's units: a small one keeps chains near x. None: no tether.
        steps: transitions of each chain, or levels of the flow. The default is the sampler's length, or more if the
            tether makes steps shorter; or the levels of the model's flow.
        film: whether to keep states on the way.
        generator: source of random numbers.

    Raises:
        UserError: if the model has no classes, there is no such class, or x does not fit the model.
    """
    require(getattr(model, "classes", 0) > 0, "the model has no classes: it is no energy that is conditional on labels")
    sampler = model.sampler
    require(sampler is not None, "this model has no sampler: pass sampler=... to train")
    target, x = model.given(to), checked(x, model.spec)
    if isinstance(model, NoiseConditionalModel):
        made = target.redraw(x, tether, steps=steps, film=film, generator=generator)
        return Across(made[:, -1], torch.cat([x[:, None].to(made), made], 1)) if film else Across(made, None)
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
