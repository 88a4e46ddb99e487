"""Shards of chains: parts of a batch that run at the same time, each on a thread of its own.

The threads are those of torch's own operations (OpenMP). After an operation they wait for the next one by spinning for
milliseconds; any other threads would compete with them for the cores.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, TypeVar

import torch

from energybased.energy import Rows

FEWEST = 64  # chains of a shard: each shard reads all weights, and with few chains that takes most of a product's time
CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_int)
SOURCE = """
extern "C" void together(int count, void (*call)(int)) {
    #pragma omp parallel for num_threads(count) schedule(static, 1)
    for (int i = 0; i < count; i++) call(i);
}
"""

Item = TypeVar("Item")
Made = TypeVar("Made")


def cut(n: int, device: torch.device) -> list[Rows]:
    """The rows of each shard of n chains. All shards have one size; the last is filled up with copies of the last row.

    There are as many shards as torch has threads, and fewer where a shard would have fewer than 64 chains. On a GPU
    there is one.
    """
    count = max(1, min(torch.get_num_threads(), n // FEWEST)) if device.type == "cpu" else 1
    size = -(-n // count)
    rows: list[Rows] = [slice(first, first + size) for first in range(0, n - size + 1, size)]
    filled = torch.arange(len(rows) * size, count * size, device=device).clamp(max=n - 1)
    return rows + ([filled] if len(filled) else [])


def together(function: Callable[[Item], Made], items: Iterable[Item]) -> list[Made]:
    """Calls a function for each item at the same time. In the function, gradients are off and torch uses one thread.

    Raises:
        Exception: the first one that a call has raised, after all calls have ended.
    """
    items = list(items)
    if len(items) == 1:
        return [function(items[0])]
    made: list[Any] = [None] * len(items)
    errors: list[BaseException] = []

    def call(i: int) -> None:
        try:
            with torch.no_grad():
                made[i] = function(items[i])
        except BaseException as error:  # it must not pass through the code of another language
            errors.append(error)

    parallel()(len(items), CALLBACK(call))
    if errors:
        raise errors[0]
    return made


@cache
def parallel() -> Callable[..., None]:
    """The function `together(count, call)`, compiled on first use. It calls call(0) ... call(count - 1) in parallel."""
    from torch._inductor.codecache import CppCodeCache  # imported here, because it takes seconds

    function: Callable[..., None] = CppCodeCache.load(SOURCE).together
    return function
