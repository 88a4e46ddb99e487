"""Engines: two ways to compute the transitions of chains.

"eager" calls the kernel step by step. "compiled" traces one step, with the parameters and buffers of the energy as
inputs. Operations that do not depend on the state of the chains (casts of weights, spectral norms, embedded classes)
run once per call; all others are compiled. Both engines draw the same random numbers and differ only by rounding.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, fx, nn
from torch.func import functional_call

from energybased.energy import Energy
from energybased.sampling.diagnostics import Tally
from energybased.sampling.graph import Graph, Steps, loop
from energybased.sampling.kernel import Kernel, State
from energybased.sampling.products import PRODUCTS
from energybased.sampling.split import split
from energybased.sampling.streams import Shape, Streams
from energybased.sampling.structure import Unfit, structure

Engine = Literal["eager", "compiled"]
Visit = Callable[[Tensor, Tensor], None]  # called with x and its energy after every step
Run = Callable[[State, Tally, Streams, int, Visit], tuple[State, Tally]]

PROGRAMS = 32  # most compiled steps that are kept

_programs: OrderedDict[Hashable, Program | None] = OrderedDict()  # compiled steps; None where compiling failed
_said: set[str] = set()  # warnings that were given already


def runner(engine: Engine, energy: Energy, kernel: Kernel, state: State, tally: Tally, streams: Streams) -> Run:
    """A function that runs transitions of chains. It is valid as long as the energy does not change."""

    def eager(state: State, tally: Tally, streams: Streams, steps: int, visit: Visit) -> tuple[State, Tally]:
        for _ in range(steps):
            state, tally = _transition(energy, kernel, state, tally, streams)
            visit(state.x, tally.energy)
        return state, tally

    if engine == "eager":
        return eager
    # The kernel's own class must declare `compilable`, because a subclass may override any method.
    if not type(kernel).__dict__.get("compilable", False):
        _say(kernel, "it does not say that it is compilable")
        return eager
    program = _program(energy, kernel, state, tally, streams)
    return eager if program is None else program.bound(energy)


def _nothing(x: Tensor, energy: Tensor) -> None:
    pass


def _transition(energy: Energy, kernel: Kernel, state: State, tally: Tally, streams: Streams) -> tuple[State, Tally]:
    after, info = kernel.step(energy, state, streams)
    return after, tally.add(state.x, after.x, info)


class Program(NamedTuple):
    """One compiled transition, for tensors of the shapes that it was traced with.

    Args:
        once: maps the energy's tensors to the tensors that every step uses.
        steps: runs steps. Fixed inputs are the results of `once` and the keys of the streams. Moving ones are the
            tensors of the state and the tally, and the positions of the streams.
        fields: names of the fields of the state and of the tally that are not None.
        draws: number of draws from the streams in one step, by kind.
    """

    once: fx.GraphModule
    steps: Steps
    fields: tuple[tuple[str, ...], tuple[str, ...]]
    draws: dict[str, int]

    def bound(self, energy: Energy) -> Run:
        held = self.once(*_tensors(energy).values())
        of_state, of_tally = self.fields
        x, value = of_state.index("x"), len(of_state) + of_tally.index("energy")

        def run(state: State, tally: Tally, streams: Streams, steps: int, visit: Visit) -> tuple[State, Tally]:
            now = [*_there(state).values(), *_there(tally).values(), *_positions(streams, self.draws)]
            now = self.steps([*held, streams.keys], now, steps, lambda after: visit(after[x], after[value]))
            for kind, count in self.draws.items():
                streams.positions[kind] += steps * count
            after = State(**dict(zip(of_state, now, strict=False)))
            return after, Tally(**dict(zip(of_tally, now[len(of_state) :], strict=False)))

        return run


class Counted(Streams):
    """Streams whose positions are tensors, so that a traced step can be run from any position."""

    def __init__(self, keys: Tensor, positions: dict[str, Tensor]) -> None:
        super().__init__(keys)
        self.now, self.draws = positions, dict.fromkeys(positions, 0)

    def _next(self, kind: str, width: int, shape: Shape, dtype: torch.dtype) -> Tensor:
        position = self.now[kind] + self.draws[kind]
        self.draws[kind] += 1
        return shape(self.bits(kind, width, position[None]), dtype)[0]


def _program(energy: Energy, kernel: Kernel, state: State, tally: Tally, streams: Streams) -> Program | None:
    """The program for this step, which is traced on first use; None, with a warning, if it cannot be compiled."""
    key: Hashable = None
    try:
        found = _key(energy, kernel, state, tally)
        hash(found)
        key = found
        if key not in _programs:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # torch itself raises them on import
                program = _trace(energy, kernel, state, tally, streams)
            _check(program, energy, kernel, state, tally, streams)
            if _key(energy, kernel, state, tally) != key:
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


def _check(program: Program, energy: Energy, kernel: Kernel, state: State, tally: Tally, streams: Streams) -> None:
    """Compares two steps of the program with two of the kernel, to find operations that the trace has missed."""
    others = streams.select(slice(None)), streams.select(slice(None))
    mine = program.bound(energy)(state, tally, others[0], 2, _nothing)
    theirs = runner("eager", energy, kernel, state, tally, others[1])(state, tally, others[1], 2, _nothing)
    moved, expected = mine[0].x - state.x, theirs[0].x - state.x
    if not (_agree(moved, expected) and _agree(mine[1].gradient[:, None], theirs[1].gradient[:, None])):
        raise Unfit("the compiled steps are not the same as the eager ones")


def _trace(energy: Energy, kernel: Kernel, state: State, tally: Tally, streams: Streams) -> Program:
    from torch._inductor import compile as compiled  # imported here, because it takes seconds
    from torch.fx.experimental.proxy_tensor import make_fx

    tensors, draws = _tensors(energy), dict[str, int]()
    kinds, names = list(streams.positions), (tuple(_there(state)), tuple(_there(tally)))

    def transition(held: list[Tensor], keys: Tensor, now: list[Tensor], positions: list[Tensor]) -> list[Tensor]:
        counted = Counted(keys, dict(zip(kinds, positions, strict=True)))
        before = State(**dict(zip(names[0], now, strict=False)))
        sums = Tally(**dict(zip(names[1], now[len(names[0]) :], strict=True)))
        call = _Call(energy, lambda inner: _transition(inner, kernel, before, sums, counted))
        made = functional_call(call, {f"energy.{k}": v for k, v in zip(tensors, held, strict=True)}, ())
        if tuple(tuple(_there(part)) for part in made) != names:
            raise Unfit("a step changes which tensors the state holds")
        draws.update(counted.draws)
        after = [at + counted.draws[kind] for kind, at in zip(kinds, positions, strict=True)]
        return [*(leaf for part in made for leaf in _there(part).values()), *after]

    positions = _positions(streams, kinds)
    # The trace would merge two inputs that are the same object, so every input is a copy.
    held = [tensor.detach().clone() for tensor in tensors.values()]
    now = [leaf.detach() for part in (state, tally) for leaf in _there(part).values()]
    traced = make_fx(transition, decomposition_table=PRODUCTS)(held, streams.keys.detach(), now, positions)
    for node in traced.graph.nodes:
        if node.op == "get_attr":
            raise Unfit("the energy keeps tensors that are neither parameters nor buffers")
        if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
            raise Unfit(f"the energy draws random numbers, {node.target}")
    once, step = split(traced, len(tensors))
    fixed, moving = [*once(*held), streams.keys], [*now, *positions]
    if not all(tensor.is_cuda for tensor in (*fixed, *moving)):
        return Program(once, loop(compiled(step, [*fixed, *moving])), names, draws)
    # A CUDA graph has its own tensors, and the code must be compiled for the memory layout of these.
    fixed, moving = [t.clone() for t in fixed], [t.clone() for t in moving]
    return Program(once, Graph(compiled(step, [*fixed, *moving]), fixed, moving), names, draws)


def _agree(x: Tensor, expected: Tensor) -> bool:
    """Whether 90 % of the chains agree up to rounding in bfloat16, which can change single Metropolis decisions."""
    sound = expected.isfinite()
    scale = torch.where(sound, expected, 0.0).abs().amax()
    wrong = torch.where(sound, ~((x - expected).abs() <= 0.05 * scale), x.isfinite())
    return float(wrong.flatten(1).any(1).float().mean()) <= 0.1


class _Call(nn.Module):
    """A function of an energy as a module, for `functional_call`."""

    def __init__(self, energy: Energy, function: Callable[[Energy], Any]) -> None:
        super().__init__()
        self.energy, self.function = energy, function

    def forward(self) -> Any:
        return self.function(self.energy)


def _tensors(energy: Energy) -> dict[str, Tensor]:
    return {**dict(energy.named_parameters()), **dict(energy.named_buffers())}


def _there(part: State | Tally) -> dict[str, Tensor]:
    """The tensors of a state or a tally that are not None, each contiguous."""
    return {name: leaf.contiguous() for name, leaf in part._asdict().items() if leaf is not None}


def _positions(streams: Streams, kinds: Iterable[str]) -> list[Tensor]:
    return [torch.tensor(streams.positions[kind], device=streams.keys.device) for kind in kinds]


def _layout(tensors: dict[str, Tensor]) -> Hashable:
    """The properties of tensors that a program depends on."""
    return tuple((name, t.shape, t.stride(), t.dtype, t.device) for name, t in tensors.items())


def _key(energy: Energy, kernel: Kernel, state: State, tally: Tally) -> Hashable:
    """Everything that a program takes as constant. Two calls with the same key can share a program."""
    named = [*energy.named_parameters(remove_duplicate=False), *energy.named_buffers(remove_duplicate=False)]
    first: dict[int, int] = {}
    shared = tuple(first.setdefault(id(tensor), i) for i, (_, tensor) in enumerate(named))
    layout = _layout(_tensors(energy)), _layout(_there(state)), _layout(_there(tally))
    device = state.x.device.type
    cast = torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)
    return kernel, structure(energy), shared, layout, cast, torch.get_default_dtype(), torch.get_num_threads()
