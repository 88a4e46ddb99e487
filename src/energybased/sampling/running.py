"""Running chains: before their first transition, step by step, or by a program."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from energybased.energy import Energy, Rows
from energybased.sampling.diagnostics import Last
from energybased.sampling.kernel import Info, Kernel, State
from energybased.sampling.program import Program, leaves, positions_of, step_of, tensors_of
from energybased.sampling.shards import cut, together
from energybased.sampling.streams import Streams


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


class Start(NamedTuple):
    """Chains before their first transition.

    Args:
        energy: the energy, which does not change while the chains run.
        kernel: one transition.
        x: the first states, `(batch, *event)`.
        streams: the random streams of the chains.
        momentum: `(batch, *event)`; drawn by `begin` if it is not given and the kernel has one.
        state: the kernel's state at x, if its energies and gradients are known already.
    """

    energy: Energy
    kernel: Kernel
    x: Tensor
    streams: Streams
    momentum: Tensor | None = None
    state: State | None = None

    def begin(self) -> State:
        """The first state."""
        if self.state is not None:
            return self.state
        state, momentum = self.kernel.init(self.energy, self.x), self.momentum
        if momentum is None and getattr(self.kernel, "inertial", False):
            momentum = self.streams.normal(state.x)
        return state if momentum is None else state._replace(momentum=momentum)

    def select(self, rows: Rows) -> Start:
        """These chains, with copies of their streams."""
        momentum = None if self.momentum is None else self.momentum[rows]
        state = None if self.state is None else self.state.select(rows)
        return Start(self.energy.select(rows), self.kernel, self.x[rows], self.streams.select(rows), momentum, state)


class Eager:
    """Chains whose kernel is called step by step."""

    def __init__(self, start: Start) -> None:
        self.energy, self.kernel, self.streams = start.energy, start.kernel, start.streams
        self.state = start.begin()
        self.before = self.state.x
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
    """Chains of a program, in shards that run at the same time; see `cut`."""

    def __init__(self, program: Program, start: Start) -> None:
        self.program, self.streams, self.count = program, start.streams, len(start.x)
        state = start.begin()
        rows: list[Rows] = [slice(None)] if program.whole else cut(self.count, state.x.device)
        energies, step = [start.energy.select(part) for part in rows], step_of(start.kernel, state.x)
        # An energy that holds nothing per row is the same for all shards.
        different = energies if any(energy is not start.energy for energy in energies) else [start.energy]
        made = [program.once(*tensors_of(energy).values(), step) for energy in different]
        given = zip(rows, made * (len(rows) // len(made)), strict=True)
        self.fixed = [[*tensors, self.streams.keys[part]] for part, tensors in given]
        known = [*program.blank, *positions_of(self.streams, list(program.draws))]
        self.moving = [[*(leaf[part] for leaf in leaves(state).values()), *known] for part in rows]

    def advance(self, steps: int) -> None:
        shards = zip(self.fixed, self.moving, strict=True)
        self.moving = together(lambda shard: self.program.steps(*shard, steps), shards)
        for kind, count in self.program.draws.items():
            self.streams.positions[kind] += steps * count

    @property
    def state(self) -> State:
        return State(**{name: self._whole(i) for i, name in enumerate(self.program.fields)})

    @property
    def values(self) -> Tensor:
        return self._whole(self._end - len(Last._fields))

    def last(self) -> Last:
        return Last(*(self._whole(self._end - i) for i in range(len(Last._fields), 0, -1)))

    @property
    def accepted(self) -> Tensor | None:
        never = len(self.program.blank) == len(Last._fields)
        return None if never else self._whole(len(self.program.fields))

    @property
    def _end(self) -> int:
        """The place after the quantities of the last step among the moving tensors."""
        return len(self.program.fields) + len(self.program.blank)

    def _whole(self, place: int) -> Tensor:
        """A moving tensor of all chains. The last shard may be filled up with copies of the last chain."""
        parts = [moving[place] for moving in self.moving]
        return parts[0] if len(parts) == 1 else torch.cat(parts)[: self.count]
