"""Chains: a kernel run for many steps. This is the only loop over kernel steps in the library."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, get_args

import torch
from torch import Generator, Tensor

from energybased.energy import Array, Energy, EnergyLike, as_energy, as_tensor
from energybased.errors import require
from energybased.sampling.diagnostics import ChainInfo, Diagnostics
from energybased.sampling.engine import AnyEngine, chains
from energybased.sampling.frozen import frozen
from energybased.sampling.kernel import Kernel
from energybased.sampling.running import Chains, Compiled, Start
from energybased.sampling.streams import Streams

BLOCK = 100  # most steps between two updates of a progress bar
OUT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory")


class Samples(NamedTuple):
    """What `sample` returns.

    Args:
        x: the last state of every chain, `(batch, *event)`.
        trace: every `keep_every`-th state, `(steps // keep_every, batch, *event)`; None without `keep_every`.
        info: acceptance, movement and convergence of the chains.
        momentum: the last momentum of every chain, `(batch, *event)`; None if the kernel has no momentum.
    """

    x: Tensor
    trace: Tensor | None
    info: ChainInfo
    momentum: Tensor | None = None


def advance(
    energy: Energy,
    start: Tensor,
    kernel: Kernel,
    steps: int,
    generator: Generator | Streams | None = None,
    keep_every: int | None = None,
    progress: bool = False,
    momentum: Tensor | None = None,
    engine: AnyEngine = "eager",
    keep_mode: bool = False,
    record: bool = False,
) -> Samples:
    """As `sample`, but without its checks and records, for chains within a training step.

    The arguments are those of `sample`, and:

    Args:
        momentum: `(batch, *event)`, the momentum in the `Samples` of an earlier call, for kernels that have one. With
            it, the chains continue as if they had not been interrupted. Drawn anew if not given.
        keep_mode: see `frozen`; by default modules are in eval mode.
        record: record states for the convergence diagnostics.
    """
    with torch.no_grad():
        streams = Streams.of(generator, start)
        first = Start(frozen(energy, keep_mode), kernel, start.detach(), streams, momentum)
        running = chains(engine, first, steps)
        with _progress(steps, progress) as tell:
            return _run(running, steps, keep_every, record, tell)


def _run(running: Chains, steps: int, keep_every: int | None, record: bool, tell: Callable[[int], None]) -> Samples:
    x = running.state.x
    trace = None if keep_every is None else x.new_empty((steps // keep_every, *x.shape))
    diagnostics, done = Diagnostics(x, steps, record), 0
    while done < steps:
        kept = keep_every or steps
        ahead = min(kept - done % kept, diagnostics.until - done, BLOCK)
        running.advance(ahead)
        done += ahead
        tell(ahead)
        if trace is not None and done % kept == 0:
            trace[done // kept - 1] = running.state.x
        if done == diagnostics.until:
            diagnostics.record(running.state.x, running.values, running.last)
    state = running.state
    info = diagnostics.info(running.accepted, "compiled" if isinstance(running, Compiled) else "eager")
    return Samples(state.x, trace, info, state.momentum)


def sample(
    energy: EnergyLike,
    start: Array,
    kernel: Kernel,
    steps: int,
    generator: Generator | Streams | None = None,
    keep_every: int | None = None,
    progress: bool = False,
    engine: AnyEngine = "auto",
) -> Samples:
    """Runs one chain from each row of `start` for `steps` transitions of `kernel`.

    Modules are in eval mode while the chains run. Memory does not grow with `steps`, unless a trace is kept. Chains
    that do not fit into memory run in halves, with a warning.

    The random numbers of a chain depend on the generator and on the chain's row, and not on the number of chains. To
    reproduce some chains of a batch alone, pass `Streams.of(generator, start).select(rows)`.

    Args:
        energy: an energy, or any module or function, that maps x `(batch, *event)` to `(batch,)`.
        start: `(batch, *event)`, the first states of the chains, in float32 or float64.
        kernel: `Langevin`, `Underdamped`, `MALA`, `HMC`, or any object with their `init` and `step`.
        steps: transitions of each chain.
        generator: the generator that draws the seed of the chains, or the `Streams` of the chains. Without it, the seed
            is drawn from torch's global generator. With it, the global generator is not used.
        keep_every: the trace keeps one state in every `keep_every`; there is no trace if not given.
        progress: show a progress bar.
        engine: "eager", "compiled" or "auto". Compiling takes seconds. Compiled chains are the same up to rounding, and
            several times faster for small networks. An energy or kernel that cannot be compiled runs eagerly, with a
            warning. "auto" compiles where that takes less than a fifth of the time of eager chains, which two steps
            show beforehand, and uses a program that there is already. `info.engine` says what was used: the same seed
            gives the same chains to the bit with the same engine.

    Returns:
        The last states and the trace, on the device and in the dtype of `start`, and diagnostics of the chains.

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
    require(known, f"a kernel has `init` and `step`, such as Langevin(0.01, 0.1), got {kernel!r}")
    require(start.ndim >= 2 and len(start) > 0, f"start must have shape (batch, *event), got {tuple(start.shape)}")
    require(start.is_floating_point(), f"start must be of a floating-point type, got {start.dtype}")
    require(
        start.dtype in (torch.float32, torch.float64),
        f"small steps vanish in {start.dtype}: start in float32, and wrap the network as BFloat16(network)",
    )
    require(bool(start.isfinite().all()), "start has entries that are not finite")
    require(steps >= 0, f"steps must not be negative, got {steps}")
    require(engine in get_args(AnyEngine), f"engine is 'auto', 'eager' or 'compiled', got {engine!r}")
    require(keep_every is None or 1 <= keep_every <= steps, f"keep_every must be in 1 ... steps, got {keep_every}")

    def run(energy: Energy, start: Tensor, streams: Streams) -> Samples:
        return advance(energy, start, kernel, steps, streams, keep_every, progress, engine=engine, record=True)

    samples = _fitting(run, energy, start, Streams.of(generator, start))
    lost = int((~samples.x.isfinite()).flatten(1).any(1).sum())
    require(lost == 0, f"{lost} of {len(start)} chains are not finite after {steps} steps of {kernel}")
    return samples


def _fitting(
    run: Callable[[Energy, Tensor, Streams], Samples], energy: Energy, start: Tensor, streams: Streams
) -> Samples:
    """Runs all chains at once or, if they do not fit into memory, half by half. The chains are the same."""
    drawn, samples = streams.select(slice(None)), None  # a copy, so that a failed run leaves the streams as they were
    try:
        samples = run(energy, start, drawn)
    except RuntimeError as error:  # torch has a subclass for devices, but none for the CPU
        if len(start) == 1 or not any(words in str(error) for words in OUT_OF_MEMORY):
            raise
    if samples is None:  # outside the except clause, so that the memory of the failed run is freed
        warnings.warn(f"{len(start)} chains do not fit into memory: they run in two halves", stacklevel=3)
        halves = torch.arange(len(start), device=start.device).tensor_split(2)
        parts = [(rows, streams.select(rows)) for rows in halves]
        halved = [_fitting(run, energy.select(rows), start[rows], part) for rows, part in parts]
        samples = _joined(halved)
        drawn = parts[0][1]
    streams.follow(drawn)
    return samples


def _joined(parts: Sequence[Samples]) -> Samples:
    """The samples of all parts together."""
    x, traces, infos, momenta = zip(*parts, strict=True)
    trace = None if traces[0] is None else torch.cat(traces, 1)
    momentum = None if momenta[0] is None else torch.cat(momenta)
    return Samples(torch.cat(x), trace, ChainInfo.join(infos), momentum)


@contextmanager
def _progress(steps: int, wanted: bool) -> Iterator[Callable[[int], None]]:
    """A function that is called with numbers of finished steps, and moves a progress bar if one is wanted."""
    if not wanted:
        yield lambda done: None
        return
    from rich.progress import Progress

    with Progress() as bar:
        task = bar.add_task("sampling", total=steps)
        yield lambda done: bar.advance(task, done)
