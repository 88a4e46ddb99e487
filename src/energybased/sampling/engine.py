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
from typing import Any, Literal

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from energybased.energy import Rows
from energybased.sampling.kernel import Kernel
from energybased.sampling.program import Program, trace, with_step
from energybased.sampling.running import Chains, Compiled, Eager, Start
from energybased.sampling.shards import cut
from energybased.sampling.structure import Unfit, structure

Engine = Literal["eager", "compiled"]
AnyEngine = Literal["auto", "eager", "compiled"]

PROGRAMS = 32  # most programs that are kept
COMPILING, PER_OPERATION = 8.0, 0.1  # most seconds that compiling takes on two cores without other work
SHARE = 0.2  # compiling pays if it takes less than this part of the time of eager chains

_programs: OrderedDict[Hashable, Program | None] = OrderedDict()  # None where compiling failed
_said: set[str] = set()  # warnings that were given already
_lock = RLock()  # programs are compiled by one thread at a time


def chains(engine: AnyEngine, start: Start, steps: int) -> Chains:
    """Chains that are to run for `steps` transitions. "auto" is decided before the first step."""
    if steps == 0 or engine == "eager" or (engine == "auto" and not _pays(start, steps)):
        return Eager(start)
    # The kernel's own class must declare `compilable`, because a subclass may override any method.
    if not type(start.kernel).__dict__.get("compilable", False):
        _say(start.kernel, "it does not say that it is compilable")
        return Eager(start)
    program = _program(start)
    return Eager(start) if program is None else Compiled(program, start)


def _pays(start: Start, steps: int) -> bool:
    """Whether compiling takes less than a fifth of the time of eager chains.

    Then chains that turn out no faster take 1.2 times as long at the most. The time of compiling is estimated from the
    number of operations of the first eager step, that of the chains from the second. A program that exists costs
    nothing.
    """
    if not type(start.kernel).__dict__.get("compilable", False):
        return False
    with suppress(Unfit, TypeError):  # the energy cannot be compared with others, or is not hashable
        key = _key(start)
        if key in _programs:
            return _programs[key] is not None
    trial, first = Eager(start.select(slice(None))), Operations()
    with first:
        trial.advance(1)
    began = time.perf_counter()
    trial.advance(1)
    trial.state.x.sum().item()  # waits for the device
    return SHARE * steps * (time.perf_counter() - began) > COMPILING + PER_OPERATION * first.count


class Operations(TorchFunctionMode):
    """Counts the functions of torch that are called within it."""

    count = 0

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return function(*args, **(kwargs or {}))


def _program(start: Start) -> Program | None:
    """The program for these chains, which is traced on first use; None, with a warning, if it cannot be compiled."""
    key: Hashable = None
    with _lock:
        try:
            found = _key(start)
            hash(found)
            key = found
            if key not in _programs:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)  # torch itself raises them on import
                    program = _cut_or_whole(start)
                if _key(start) != key:
                    raise Unfit("the energy changes itself")
                _programs[key] = program
        except Exception as error:  # compilers raise exceptions of many types
            _say(start.kernel, _reason(error))
            if key is None:
                return None
            _programs[key] = None
        _programs.move_to_end(key)
        if len(_programs) > PROGRAMS:
            _programs.popitem(last=False)
        return _programs[key]


def _cut_or_whole(start: Start) -> Program:
    """A program for the shards of these chains, or for all of them if the shards cannot be computed alone."""
    rows = cut(len(start.x), start.x.device)
    if len(rows) > 1:
        try:
            _check_independent(start, rows[0])
            return _trace(start, rows)
        except Exception as error:  # compilers raise exceptions of many types
            reason = _reason(error)
    program = _trace(start, [slice(None)])
    if len(rows) > 1:
        _say(start.kernel, reason, "are not cut")
    return program


def _check_independent(start: Start, rows: Rows) -> None:
    """Compares the gradients of these rows with their gradients beside other states of the other chains.

    Raises:
        Unfit: if they are not the same to the bit.
    """
    trial = Eager(start.select(slice(None)))
    trial.advance(1)  # chains may all begin at one point
    x = trial.state.x
    changed = x[rows][:1].expand_as(x).clone()
    changed[rows] = x[rows]
    alone = [part[rows] for states in (x, changed) for part in start.energy.value_and_grad(states)]
    pairs = zip(alone[:2], alone[2:], strict=True)
    if not all(torch.allclose(a, b, rtol=0.0, atol=0.0, equal_nan=True) for a, b in pairs):
        raise Unfit("the energy of a chain depends on the other chains")


def _reason(error: Exception) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__


def _say(kernel: Kernel, reason: str, what: str = "run eager") -> None:
    """Warns how chains run, once for each reason."""
    said = f"chains of {type(kernel).__name__} {what}: {reason}"
    if said not in _said:
        _said.add(said)
        warnings.warn(said, stacklevel=2)


def _trace(start: Start, rows: list[Rows]) -> Program:
    """A program for shards of these rows, compared with two steps of the kernel on all chains.

    The comparison finds operations that the trace has missed.
    """
    everything = slice(None)  # copies, so that the streams stay where they are
    first, threads = start.select(rows[0]), torch.get_num_threads() if len(rows) == 1 else 1
    program = trace(first.energy, first.kernel, first.begin(), first.streams, threads)._replace(whole=len(rows) == 1)
    mine, theirs = Compiled(program, start.select(everything)), Eager(start.select(everything))
    before = theirs.state.x
    mine.advance(2)
    theirs.advance(2)
    moved, gradients = mine.state.x - before, mine.last().gradient[:, None]
    if not (_agree(moved, theirs.state.x - before) and _agree(gradients, theirs.last().gradient[:, None])):
        raise Unfit("the compiled steps are not the same as the eager ones")
    return program


def _agree(x: Tensor, expected: Tensor) -> bool:
    """Whether 90 % of the chains agree up to rounding in bfloat16, which can change single Metropolis decisions."""
    sound = expected.isfinite()
    scale = torch.where(sound, expected, 0.0).abs().amax()
    wrong = torch.where(sound, ~((x - expected).abs() <= 0.05 * scale), x.isfinite())
    return float(wrong.flatten(1).any(1).float().mean()) <= 0.1


def _layout(tensors: list[tuple[str, Tensor]]) -> Hashable:
    """The properties of tensors that a program depends on."""
    return tuple((name, t.shape, t.stride(), t.dtype, t.device) for name, t in tensors)


def _key(start: Start) -> Hashable:
    """Everything that a program takes as constant. Two calls with the same key can share a program."""
    energy, x = start.energy, start.x
    named = [*energy.named_parameters(remove_duplicate=False), *energy.named_buffers(remove_duplicate=False)]
    first: dict[int, int] = {}
    shared = tuple(first.setdefault(id(tensor), i) for i, (_, tensor) in enumerate(named))
    layout = _layout([*named, ("", x)])
    device = x.device.type
    cast = torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)
    threads = torch.get_num_threads()
    return with_step(start.kernel, 1.0), structure(energy), shared, layout, cast, torch.get_default_dtype(), threads
