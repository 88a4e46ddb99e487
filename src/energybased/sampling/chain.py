"""A chain: a kernel run for many steps. The only loop over kernel steps in the library."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple, get_args

import torch
from torch import Generator, Tensor, nn
from torch.nn.utils import parametrize

from energybased.energy import Array, Energy, EnergyLike, as_energy, as_tensor
from energybased.errors import require
from energybased.sampling.diagnostics import ChainInfo, Diagnostics
from energybased.sampling.engine import Engine, runner
from energybased.sampling.kernel import Kernel, State
from energybased.sampling.streams import Streams

BLOCK = 100  # steps at a time at the most, between two moves of the progress bar
OUT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory")
# Modules that a forward pass in train mode changes.
MOVING = (parametrize.ParametrizationList, nn.modules.batchnorm._BatchNorm)


class Samples(NamedTuple):
    """What `sample` returns."""

    x: Tensor  # the last state of every chain, (batch, *event)
    trace: Tensor | None  # (steps // keep_every, batch, *event), if asked for
    info: ChainInfo
    momentum: Tensor | None = None  # at the end, (batch, *event), if the kernel has one


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
    """`sample` without its checks, with the energy in the mode that it is in: for chains inside a training step.

    Args:
        momentum: `(batch, *event)`, of a kernel that has one, as `Samples` of an earlier call reports it. With it, the
            chains go on as if they had never stopped.
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
        run = runner(engine if steps else "eager", energy, kernel, state, diagnostics.tally, streams)
        done = 0
        with _cached(energy), _progress(steps, progress) as tell:
            while done < steps:
                kept = keep_every or steps
                ahead = min(kept - done % kept, steps - done, BLOCK)
                state, diagnostics.tally = run(state, diagnostics.tally, streams, ahead, diagnostics.record)
                done += ahead
                tell(ahead)
                if trace is not None and done % kept == 0:
                    trace[done // kept - 1] = state.x
        return Samples(state.x, trace, diagnostics.info(), state.momentum)


def sample(
    energy: EnergyLike,
    start: Array,
    kernel: Kernel,
    steps: int,
    generator: Generator | Streams | None = None,
    keep_every: int | None = None,
    progress: bool = False,
    engine: Engine = "eager",
) -> Samples:
    """Runs one chain from each row of `start` for `steps` transitions of `kernel`.

    Modules are in eval mode meanwhile. Memory does not grow with `steps` unless a trace is asked for. A chain's random
    numbers depend on the generator and on the chain's row only, not on how many chains run beside it. To run a part of
    a batch with the numbers that it has in the whole, pass `Streams.of(generator, start).select(rows)`.

    Args:
        energy: over x of shape `(batch, *event)`: an energy, or any module or function that returns `(batch,)`.
        start: `(batch, *event)`, where the chains begin, in float32 or float64.
        kernel: `Langevin`, `MALA`, `HMC`, or anything with their `init` and `step`.
        steps: transitions of each chain.
        generator: draws the seed of the chains, or their `Streams`. Without one, the seed is drawn from torch's global
            generator; with one, the global generator is left alone.
        keep_every: keep every so-many-th state in the trace.
        progress: show a progress bar.
        engine: "eager", or "compiled". Compiling takes seconds, and gives the same chains up to rounding, on small
            networks several times faster. What cannot be compiled runs eager, with a warning.

    Chains that do not fit into memory run in halves, with a warning.

    Returns:
        The last states and the trace, on the device and in the number type of `start`, and a report on the chains.

    Raises:
        UserError: if `start` is not a batch of finite numbers in float32 or float64, or if a chain ends in a number
            that is not finite (the step size is then usually too large).

    >>> from energybased import StandardNormal, Langevin
    >>> g = torch.Generator().manual_seed(0)
    >>> sample(StandardNormal(2), torch.zeros(4, 2), Langevin.overdamped(0.5), steps=100, generator=g).x.shape
    torch.Size([4, 2])
    """
    energy, start = as_energy(energy), as_tensor(start)
    known = not isinstance(kernel, type) and hasattr(kernel, "init") and hasattr(kernel, "step")
    require(known, f"a kernel has `init` and `step`, as Langevin(0.01, 0.1) has, got {kernel!r}")
    require(start.ndim >= 2 and len(start) > 0, f"start must have shape (batch, *event), got {tuple(start.shape)}")
    require(start.is_floating_point(), f"start must be of a floating-point type, got {start.dtype}")
    require(
        start.dtype in (torch.float32, torch.float64),
        f"chains in {start.dtype} round small steps away: start in float32, with the network in BFloat16(network)",
    )
    require(bool(start.isfinite().all()), "start has entries that are not finite")
    require(steps >= 0, f"steps must not be negative, got {steps}")
    require(engine in get_args(Engine), f"engine is 'eager' or 'compiled', got {engine!r}")
    require(keep_every is None or 1 <= keep_every <= steps, f"keep_every must be in 1 ... steps, got {keep_every}")

    def run(energy: Energy, start: Tensor, streams: Streams) -> Samples:
        return advance(energy, start, kernel, steps, streams, keep_every, progress, engine=engine)

    with evaluating(energy):
        samples = _fitting(run, energy, start, Streams.of(generator, start))
    lost = int((~samples.x.isfinite()).flatten(1).any(1).sum())
    require(lost == 0, f"{lost} of {len(start)} chains are not finite after {steps} steps of {kernel}")
    return samples


def _fitting(
    run: Callable[[Energy, Tensor, Streams], Samples], energy: Energy, start: Tensor, streams: Streams
) -> Samples:
    """All chains at once or, if memory is too small, one half after the other; the chains are the same."""
    drawn, samples = streams.select(slice(None)), None  # a copy, so that a failed run leaves the streams as they were
    try:
        samples = run(energy, start, drawn)
    except RuntimeError as error:  # torch has a class of its own for devices, and none for the processor
        if len(start) == 1 or not any(words in str(error) for words in OUT_OF_MEMORY):
            raise
    if samples is None:  # outside the except clause, so that the memory of the failed run is freed
        warnings.warn(f"{len(start)} chains do not fit into memory: they run in two halves", stacklevel=3)
        halves = torch.arange(len(start), device=start.device).tensor_split(2)
        parts = [(rows, streams.select(rows)) for rows in halves]
        samples = _joined(*(_fitting(run, energy.select(rows), start[rows], part) for rows, part in parts))
        drawn = parts[0][1]
    streams.follow(drawn)
    return samples


def _joined(a: Samples, b: Samples) -> Samples:
    trace = None if a.trace is None or b.trace is None else torch.cat([a.trace, b.trace], 1)
    momentum = None if a.momentum is None or b.momentum is None else torch.cat([a.momentum, b.momentum])
    return Samples(torch.cat([a.x, b.x]), trace, ChainInfo.join(a.info, b.info), momentum)


def _cached(module: nn.Module) -> AbstractContextManager[None]:
    """Parametrised weights computed once; torch tells modules apart by their class, which a deep copy shares."""
    classes = [type(m) for m in module.modules() if parametrize.is_parametrized(m)]
    return parametrize.cached() if len(set(classes)) == len(classes) else nullcontext()


@contextmanager
def _progress(steps: int, wanted: bool) -> Iterator[Callable[[int], None]]:
    """What is told of every so many steps."""
    if not wanted:
        yield lambda done: None
        return
    from rich.progress import Progress

    with Progress() as bar:
        task = bar.add_task("sampling", total=steps)
        yield lambda done: bar.advance(task, done)
