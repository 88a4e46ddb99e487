"""Engines: two ways to compute the transitions of chains.

"eager" calls the kernel step by step. "compiled" runs a `Program`, on the CPU one shard of the chains on each thread.
Both engines draw the same random numbers and differ only by rounding.
"""

from __future__ import annotations

import time
import warnings
from collections import OrderedDict
from collections.abc import Hashable
from contextlib import suppress
from threading import RLock
from typing import Literal, Protocol

import torch
from torch import Tensor

from energybased.energy import Energy
from energybased.sampling.diagnostics import Last
from energybased.sampling.kernel import Info, Kernel, State
from energybased.sampling.program import (
    Program,
    leaves,
    positions_of,
    step_of,
    tensors_of,
    trace,
    with_step,
)
from energybased.sampling.shards import cut
from energybased.sampling.streams import Streams
from energybased.sampling.structure import Unfit, structure

Engine = Literal["eager", "compiled"]
AnyEngine = Literal["auto", "eager", "compiled"]

PROGRAMS = 32  # most programs that are kept
COMPILING = 20.0  # seconds that compiling takes at the most, on two cores without other work
SHARE = 0.2  # compiling pays if it takes less than this part of the time of eager chains

_programs: OrderedDict[Hashable, Program | None] = OrderedDict()  # None where compiling failed
_said: set[str] = set()  # warnings that were given already
_lock = RLock()  # programs are compiled by one thread at a time


class Chains(Protocol):
    """Chains on their way, and their streams."""

    streams: Streams

    def advance(self, steps: int) -> None:
        """Runs at least one transition."""
        ...

    @property
    def state(self) -> State: ...

    @property
    def values(self) -> Tensor:
        """Energies of the last state, `(batch,)`; NaN if the kernel does not know them."""
        ...

    def last(self) -> Last:
        """Quantities of the last transition."""
        ...

    @property
    def accepted(self) -> Tensor | None:
        """Sums of the acceptance probabilities, `(batch,)`; None if the kernel accepts every proposal."""
        ...


class Eager:
    """Chains whose kernel is called step by step."""

    def __init__(self, energy: Energy, kernel: Kernel, state: State, streams: Streams) -> None:
        self.energy, self.kernel, self.streams = energy, kernel, streams
        self.state, self.before = state, state.x
        self.accepted: Tensor | None = None
        self.info: Info

    def advance(self, steps: int) -> None:
        for _ in range(steps):
            self.before = self.state.x
            self.state, self.info = self.kernel.step(self.energy, self.state, self.streams)
            if self.info.acceptance is not None:
                before = 0.0 if self.accepted is None else self.accepted
                self.accepted = before + self.info.acceptance.double()

    @property
    def values(self) -> Tensor:
        x, energy = self.state.x, self.info.energy
        return x.new_full((len(x),), torch.nan) if energy is None else energy

    def last(self) -> Last:
        return Last.of(self.before, self.state.x, self.info)


class Compiled:
    """Chains of a program."""

    def __init__(self, program: Program, energy: Energy, kernel: Kernel, state: State, streams: Streams) -> None:
        self.program, self.streams = program, streams
        self.fixed = [*program.once(*tensors_of(energy).values(), step_of(kernel, state.x)), streams.keys]
        self.moving = [*leaves(state).values(), *program.blank, *positions_of(streams, list(program.draws))]

    def advance(self, steps: int) -> None:
        self.moving = self.program.steps(self.fixed, self.moving, steps)
        for kind, count in self.program.draws.items():
            self.streams.positions[kind] += steps * count

    @property
    def state(self) -> State:
        return State(**dict(zip(self.program.fields, self.moving, strict=False)))

    @property
    def values(self) -> Tensor:
        return self.last().energy

    def last(self) -> Last:
        end = len(self.program.fields) + len(self.program.blank)
        return Last(*self.moving[end - len(Last._fields) : end])

    @property
    def accepted(self) -> Tensor | None:
        never = len(self.program.blank) == len(Last._fields)
        return None if never else self.moving[len(self.program.fields)]


def chains(
    engine: AnyEngine, energy: Energy, kernel: Kernel, state: State, streams: Streams, steps: int
) -> list[Chains]:
    """Chains of `steps` transitions that start at a state, in shards of one size; see `cut`. Eager chains are one.

    They are valid as long as the energy does not change. "auto" is decided before the first step.
    """
    if steps == 0 or engine == "eager" or (engine == "auto" and not _pays(energy, kernel, state, streams, steps)):
        return [Eager(energy, kernel, state, streams)]
    # The kernel's own class must declare `compilable`, because a subclass may override any method.
    if not type(kernel).__dict__.get("compilable", False):
        _say(kernel, "it does not say that it is compilable")
        return [Eager(energy, kernel, state, streams)]
    program = _program(energy, kernel, state, streams)
    if program is None:
        return [Eager(energy, kernel, state, streams)]
    return [Compiled(program, *shard) for shard in _shards(energy, kernel, state, streams)]


def _pays(energy: Energy, kernel: Kernel, state: State, streams: Streams, steps: int) -> bool:
    """Whether compiling takes less than a fifth of the time of eager chains, from the time of the second eager step.

    Then chains that turn out no faster take 1.2 times as long at the most. A program that exists costs nothing.
    """
    if not type(kernel).__dict__.get("compilable", False):
        return False
    with suppress(Unfit, TypeError):  # the energy cannot be compared with others, or is not hashable
        key = _key(energy, kernel, state)
        if key in _programs:
            return _programs[key] is not None
    trial = Eager(energy, kernel, state, streams.select(slice(None)))
    trial.advance(1)
    began = time.perf_counter()
    trial.advance(1)
    trial.state.x.sum().item()  # waits for the device
    return SHARE * steps * (time.perf_counter() - began) > COMPILING


def _shards(
    energy: Energy, kernel: Kernel, state: State, streams: Streams
) -> list[tuple[Energy, Kernel, State, Streams]]:
    cuts = cut(len(state.x), state.x.device)
    if len(cuts) == 1:
        return [(energy, kernel, state, streams)]
    parts = [State(**{name: leaf[rows] for name, leaf in leaves(state).items()}) for rows in cuts]
    return [(energy.select(rows), kernel, part, streams.select(rows)) for rows, part in zip(cuts, parts, strict=True)]


def _program(energy: Energy, kernel: Kernel, state: State, streams: Streams) -> Program | None:
    """The program for these chains, which is traced on first use; None, with a warning, if it cannot be compiled."""
    key: Hashable = None
    with _lock:
        try:
            found = _key(energy, kernel, state)
            hash(found)
            key = found
            if key not in _programs:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)  # torch itself raises them on import
                    program = _trace(energy, kernel, state, streams)
                if _key(energy, kernel, state) != key:
                    raise Unfit("the energy changes itself")
                _programs[key] = program
        except Exception as error:  # compilers raise exceptions of many types
            _say(kernel, str(error).strip().split("\n")[0] or type(error).__name__)
            if key is None:
                return None
            _programs[key] = None
        _programs.move_to_end(key)
        if len(_programs) > PROGRAMS:
            _programs.popitem(last=False)
        return _programs[key]


def _say(kernel: Kernel, reason: str) -> None:
    """Warns that chains run eagerly, once for each reason."""
    said = f"chains of {type(kernel).__name__} run eager: {reason}"
    if said not in _said:
        _said.add(said)
        warnings.warn(said, stacklevel=2)


def _trace(energy: Energy, kernel: Kernel, state: State, streams: Streams) -> Program:
    """A program for one shard, compared with two steps of the kernel on all chains.

    The comparison finds operations that the trace has missed, and energies in which the rows depend on each other.
    """
    shards = _shards(energy, kernel, state, streams.select(slice(None)))
    program = trace(*shards[0], max(1, torch.get_num_threads() // len(shards)))
    mine = [Compiled(program, *shard) for shard in shards]
    theirs = Eager(energy, kernel, state, streams.select(slice(None)))
    together: list[Chains] = [*mine, theirs]
    for each in together:
        each.advance(2)

    n = len(state.x)
    moved = torch.cat([part.state.x for part in mine])[:n] - state.x
    gradients = torch.cat([part.last().gradient for part in mine])[:n, None]
    if not (_agree(moved, theirs.state.x - state.x) and _agree(gradients, theirs.last().gradient[:, None])):
        raise Unfit("the compiled steps are not the same as the eager ones, or the chains depend on each other")
    return program


def _agree(x: Tensor, expected: Tensor) -> bool:
    """Whether 90 % of the chains agree up to rounding in bfloat16, which can change single Metropolis decisions."""
    sound = expected.isfinite()
    scale = torch.where(sound, expected, 0.0).abs().amax()
    wrong = torch.where(sound, ~((x - expected).abs() <= 0.05 * scale), x.isfinite())
    return float(wrong.flatten(1).any(1).float().mean()) <= 0.1


def _layout(tensors: dict[str, Tensor]) -> Hashable:
    """The properties of tensors that a program depends on."""
    return tuple((name, t.shape, t.stride(), t.dtype, t.device) for name, t in tensors.items())


def _key(energy: Energy, kernel: Kernel, state: State) -> Hashable:
    """Everything that a program takes as constant. Two calls with the same key can share a program."""
    named = [*energy.named_parameters(remove_duplicate=False), *energy.named_buffers(remove_duplicate=False)]
    first: dict[int, int] = {}
    shared = tuple(first.setdefault(id(tensor), i) for i, (_, tensor) in enumerate(named))
    layout = _layout(tensors_of(energy)), _layout(leaves(state))
    device = state.x.device.type
    cast = torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)
    threads = torch.get_num_threads()
    return with_step(kernel, 1.0), structure(energy), shared, layout, cast, torch.get_default_dtype(), threads
