"""Programs: the transitions of chains, traced once and compiled.

One transition is traced with the parameters and buffers of the energy and the step size as inputs. Operations that do
not depend on the state of the chains (casts of weights, embedded classes) run once per chain. On the CPU all others are
the body of one compiled loop, so that there is no Python between the steps. On a GPU they are captured as a CUDA graph.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn
from torch.func import functional_call

from energybased.energy import Energy
from energybased.sampling.diagnostics import Last
from energybased.sampling.graph import Graph, Steps, loop
from energybased.sampling.kernel import Kernel, State
from energybased.sampling.products import PRODUCTS
from energybased.sampling.split import split
from energybased.sampling.streams import Shape, Streams, bits
from energybased.sampling.structure import Unfit


class Program(NamedTuple):
    """Compiled transitions, for tensors of the shapes that they were traced with.

    Args:
        once: maps the energy's tensors and the step size to the tensors that every step uses; these are dense.
        steps: runs steps. Fixed inputs are the results of `once` and the keys of the streams. Moving ones are the
            tensors of the state, the sums of acceptance probabilities if there are any, the quantities of the last
            step, and the positions of the streams.
        fields: names of the fields of the state that are not None.
        blank: zeros of the shapes of the sums and of the quantities of the last step.
        draws: number of draws from the streams in one step, by kind.
        whole: whether the chains run together, because their shards could not be computed alone.
    """

    once: Callable[..., list[Tensor]]
    steps: Steps
    fields: tuple[str, ...]
    blank: tuple[Tensor, ...]
    draws: dict[str, int]
    whole: bool = False


class Counted(Streams):
    """Streams whose positions are tensors, so that a traced step can be run from any position."""

    def __init__(self, keys: Tensor, positions: dict[str, Tensor]) -> None:
        super().__init__(keys)
        self.now, self.draws = positions, dict.fromkeys(positions, 0)

    def _next(self, kind: str, width: int, shape: Shape, dtype: torch.dtype) -> Tensor:
        position = self.now[kind] + self.draws[kind]
        self.draws[kind] += 1
        return shape(bits(self.keys, kind, width, position[None]), dtype)[0]


def trace(energy: Energy, kernel: Kernel, state: State, streams: Streams, threads: int) -> Program:
    """Traces and compiles a transition for energies and states like these.

    Args:
        threads: number of threads on which one call runs on the CPU.

    Raises:
        Unfit: if the transition cannot be compiled.
    """
    from torch.fx.experimental.proxy_tensor import make_fx  # imported here, because it takes seconds

    tensors, draws, fields = tensors_of(energy), dict[str, int](), tuple(leaves(state))
    kinds, blank = list(streams.positions), list[Tensor]()

    def transition(held: list[Tensor], keys: Tensor, now: list[Tensor], positions: list[Tensor]) -> list[Tensor]:
        counted = Counted(keys, dict(zip(kinds, positions, strict=True)))
        before = State(**dict(zip(fields, now, strict=False)))
        tuned = with_step(kernel, held[-1])
        call = _Call(energy, lambda inner: tuned.step(inner, before, counted))
        after, info = functional_call(call, {f"energy.{k}": v for k, v in zip(tensors, held[:-1], strict=True)}, ())
        if tuple(leaves(after)) != fields:
            raise Unfit("a step changes which tensors the state holds")
        sums = now[len(fields) : len(fields) + 1]  # there are none when the tensors of the last step are not known yet
        accepted = [] if info.acceptance is None else [info.acceptance.double() + (sums[0] if sums else 0.0)]
        made = [*accepted, *Last.of(before.x, after.x, info)]
        if not sums:
            blank.extend(torch.zeros_like(t) for t in made)
        draws.update(counted.draws)
        return [
            *leaves(after).values(),
            *made,
            *(at + counted.draws[k] for k, at in zip(kinds, positions, strict=True)),
        ]

    # The trace would merge two inputs that are the same object, so every input is a copy.
    held = [tensor.detach().clone() for tensor in (*tensors.values(), step_of(kernel, state.x))]
    now, positions = [leaf.detach() for leaf in leaves(state).values()], positions_of(streams, kinds)
    transition(held, streams.keys, now, positions)  # finds the tensors of the last step
    now += [t.clone() for t in blank]
    traced = make_fx(transition, decomposition_table=PRODUCTS)(held, streams.keys.detach(), now, positions)
    for node in traced.graph.nodes:
        if node.op == "get_attr":
            raise Unfit("the energy keeps tensors that are neither parameters nor buffers")
        if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
            raise Unfit(f"the energy draws random numbers, {node.target}")
    first, step = split(traced, len(held))

    def once(*tensors: Tensor) -> list[Tensor]:
        return [_dense(t) for t in first.forward(*map(_dense, tensors))]

    fixed, moving = [*once(*held), streams.keys], [*now, *positions]
    return Program(once, _compiled(step, fixed, moving, threads), fields, tuple(blank), draws)


def _dense(tensor: Tensor) -> Tensor:
    """The tensor, or a copy of it if its entries overlap or have gaps in memory, such as those of an expanded tensor.

    A program is compiled for the strides of copies. A copy of a dense tensor, transposed or not, has the same strides.
    """
    dense = tensor.is_contiguous() or torch.ops.aten.is_non_overlapping_and_dense(tensor)
    return tensor if dense else tensor.clone()


def _compiled(step: fx.GraphModule, fixed: list[Tensor], moving: list[Tensor], threads: int) -> Steps:
    from torch._inductor import compile as compiled

    kinds = {tensor.device.type for tensor in (*fixed, *moving)}
    if kinds == {"cpu"}:
        return _loop(step, fixed, moving, threads)
    if kinds != {"cuda"}:
        return loop(compiled(step, [*fixed, *moving]))
    # A CUDA graph has its own tensors, and the code must be compiled for the memory layout of these.
    fixed, moving = [t.clone() for t in fixed], [t.clone() for t in moving]
    return Graph(compiled(step, [*fixed, *moving]), fixed, moving)


def _loop(step: fx.GraphModule, fixed: list[Tensor], moving: list[Tensor], threads: int) -> Steps:
    """Compiles a loop over the step. The compiled function does not hold the lock of Python while it runs."""
    from torch._higher_order_ops.while_loop import while_loop_op
    from torch._inductor import compile as compiled
    from torch.fx.experimental.proxy_tensor import make_fx

    count = len(moving)
    _separate(step)

    def chain(steps: Tensor, *inputs: Tensor) -> Any:
        def unfinished(done: Tensor, *rest: Tensor) -> Tensor:
            return done < rest[count]

        def body(done: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
            return done + 1, *step(*rest[count + 1 :], *rest[:count])

        start: Any = (torch.zeros((), dtype=torch.int64, device="cpu"), *inputs[len(fixed) :])
        return while_loop_op(unfinished, body, start, (steps, *inputs[: len(fixed)]))

    # A weight and its transpose may share memory, which the inputs of a loop must not when it is traced.
    inputs: list[Any] = [torch.zeros((), dtype=torch.int64, device="cpu"), *(t.clone() for t in (*fixed, *moving))]
    graph = make_fx(chain, tracing_mode="fake")(*inputs)
    function = compiled(graph, inputs, options={"cpp_wrapper": True, "cpp.threads": threads})

    def run(fixed: Sequence[Tensor], moving: Sequence[Tensor], steps: int) -> list[Tensor]:
        return list(function(torch.tensor(steps, device="cpu"), *fixed, *moving))[1:]

    return run


def _separate(step: fx.GraphModule) -> None:
    """Copies results of a step that are inputs or other results: the tensors that a loop carries must be separate."""
    (output,) = (node for node in step.graph.nodes if node.op == "output")
    results: list[fx.Node] = []
    with step.graph.inserting_before(output):
        for node in output.args[0]:
            same = node.op == "placeholder" or node in results
            results.append(step.graph.call_function(torch.ops.aten.clone.default, (node,)) if same else node)
    output.args = (results,)
    step.recompile()


class _Call(nn.Module):
    """A function of an energy as a module, for `functional_call`."""

    def __init__(self, energy: Energy, function: Callable[[Energy], Any]) -> None:
        super().__init__()
        self.energy, self.function = energy, function

    def forward(self) -> Any:
        return self.function(self.energy)


def with_step(kernel: Any, step_size: Any) -> Any:
    """A copy of a kernel, a frozen dataclass, with this step size, which may be a tensor; itself if it has none."""
    if not hasattr(kernel, "step_size"):
        return kernel
    changed = copy.copy(kernel)
    object.__setattr__(changed, "step_size", step_size)
    return changed


def step_of(kernel: Any, like: Tensor) -> Tensor:
    """The step size of a kernel as a 0-d tensor in float64 on the device of `like`; 1 if it has none."""
    return torch.tensor(float(getattr(kernel, "step_size", 1.0)), dtype=torch.float64, device=like.device)


def tensors_of(energy: Energy) -> dict[str, Tensor]:
    return {**dict(energy.named_parameters()), **dict(energy.named_buffers())}


def leaves(state: State) -> dict[str, Tensor]:
    """The tensors of a state that are not None, each contiguous."""
    return {name: leaf.contiguous() for name, leaf in state._asdict().items() if leaf is not None}


def positions_of(streams: Streams, kinds: Sequence[str]) -> list[Tensor]:
    return [torch.tensor(streams.positions[kind], device=streams.keys.device) for kind in kinds]
