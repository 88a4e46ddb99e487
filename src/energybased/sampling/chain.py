"""A chain: a kernel run for many steps. The only loop over kernel steps in the library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple, get_args

import torch
from torch import Generator, Tensor, nn
from torch.nn.utils import parametrize

from energybased.energy import Energy
from energybased.errors import require
from energybased.sampling.diagnostics import ChainInfo, Diagnostics
from energybased.sampling.engine import Engine, stepper
from energybased.sampling.kernel import Kernel, State
from energybased.sampling.streams import Streams

MOVING = (parametrize.ParametrizationList, nn.modules.batchnorm._BatchNorm)  # what a forward pass in train mode changes


class Samples(NamedTuple):
    """What `sample` returns."""

    x: Tensor  # the last state of every chain, (batch, *event)
    trace: Tensor | None  # (steps // keep_every, batch, *event), if asked for
    info: ChainInfo
    momentum: Tensor | None = None  # at the end, (batch, *event), of kernels that have one


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Inside, no parameter takes a gradient and nothing that a forward pass would update is updated.

    Parametrised weights (spectral norm) are in eval mode, so that no power iteration runs; batch norms as well.
    """
    wanted = [p for p in module.parameters() if p.requires_grad]
    moving = [m for m in module.modules() if isinstance(m, MOVING) and m.training]
    for parameter in wanted:
        parameter.requires_grad_(False)
    for parametrization in moving:
        parametrization.eval()
    try:
        yield
    finally:
        for parameter in wanted:
            parameter.requires_grad_()
        for parametrization in moving:
            parametrization.train()


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Inside, every submodule is in eval mode; afterwards each is in the mode it was in."""
    training = [m for m in module.modules() if m.training]
    module.eval()
    try:
        yield
    finally:
        for m in training:
            m.training = True


def advance(
    energy: Energy,
    start: Tensor,
    kernel: Kernel,
    steps: int,
    generator: Generator | Streams | None = None,
    keep_every: int | None = None,
    progress: bool = False,
    momentum: Tensor | None = None,
    engine: Engine = "eager",
) -> Samples:
    """`sample` in whatever mode the energy is in, without checks: what a training chain runs.

    Args:
        momentum: that the chains left off with, of a kernel that has one; they go on as if they had never stopped.
        engine: see `sample`.
    """
    trace = None
    if keep_every is not None:
        trace = start.new_empty((steps // keep_every, *start.shape))
    with torch.no_grad(), frozen(energy):
        streams = Streams.of(generator, start)
        state: State = kernel.init(energy, start.detach())
        if momentum is None and getattr(kernel, "inertial", False):
            momentum = streams.normal(state.x)
        state = state if momentum is None else state._replace(momentum=momentum)
        diagnostics = Diagnostics(state.x, steps)
        step = stepper(engine if steps else "eager", energy, kernel, state, diagnostics.tally, streams)
        with _cached(energy):
            for i in _counted(steps, progress):
                state, tally = step(state, diagnostics.tally, streams)
                diagnostics.update(tally)
                if trace is not None and keep_every is not None and (i + 1) % keep_every == 0:
                    trace[(i + 1) // keep_every - 1] = state.x
        return Samples(state.x, trace, diagnostics.info(), state.momentum)


def sample(
    energy: Energy,
    start: Tensor,
    kernel: Kernel,
    steps: int,
    generator: Generator | Streams | None = None,
    keep_every: int | None = None,
    progress: bool = False,
    engine: Engine = "eager",
) -> Samples:
    """Runs one chain from each row of `start` for `steps` transitions of `kernel`.

    The energy is in eval mode; memory does not grow with `steps` unless a trace is asked for. A chain's random
    stream depends on the generator and on the chain's row only, not on how many chains run beside it: to run a
    part of a batch, give `Streams.of(generator, start).select(rows)`.

    Args:
        energy: over x of shape `(batch, *event)`.
        start: `(batch, *event)`, where the chains begin.
        kernel: `Langevin`, `MALA`, `HMC`, or anything with their `init` and `step`.
        steps: transitions a chain.
        generator: seeds the chains, or their `Streams`; the global generator of torch if not given.
        keep_every: keep every so-many-th state in the trace.
        progress: show a progress bar.
        engine: "eager", or "compiled", which takes seconds to begin and is then several times faster on small
            networks; the same chains up to rounding. What cannot be compiled runs eager, with a warning.

    Raises:
        UserError: if `start` is not a batch of finite floating-point numbers, or if a chain ends in a number
            that is not finite (its step is then usually too large).

    >>> from energybased import StandardNormal, Langevin
    >>> g = torch.Generator().manual_seed(0)
    >>> sample(StandardNormal(2), torch.zeros(4, 2), Langevin.overdamped(0.5), steps=100, generator=g).x.shape
    torch.Size([4, 2])
    """
    require(isinstance(energy, Energy), f"{type(energy).__name__} is not an energy: wrap it, Network(module)")
    require(start.ndim >= 2 and len(start) > 0, f"start must have shape (batch, *event), got {tuple(start.shape)}")
    require(start.is_floating_point(), f"start must be of a floating-point type, got {start.dtype}")
    require(bool(start.isfinite().all()), "start has entries that are not finite")
    require(steps >= 0, f"steps must not be negative, got {steps}")
    require(engine in get_args(Engine), f"engine is 'eager' or 'compiled', got {engine!r}")
    require(keep_every is None or 1 <= keep_every <= steps, f"keep_every must be in 1 ... steps, got {keep_every}")
    with evaluating(energy):
        samples = advance(energy, start, kernel, steps, generator, keep_every, progress, engine=engine)
    lost = int((~samples.x.isfinite()).flatten(1).any(1).sum())
    require(lost == 0, f"{lost} of {len(start)} chains are not finite after {steps} steps of {kernel}")
    return samples


def _cached(module: nn.Module) -> AbstractContextManager[None]:
    """Parametrised weights computed once; torch tells modules apart by their class, which a deep copy shares."""
    classes = [type(m) for m in module.modules() if parametrize.is_parametrized(m)]
    return parametrize.cached() if len(set(classes)) == len(classes) else nullcontext()


def _counted(steps: int, progress: bool) -> Iterator[int]:
    if not progress:
        yield from range(steps)
        return
    from rich.progress import track

    yield from track(range(steps), description="sampling")
