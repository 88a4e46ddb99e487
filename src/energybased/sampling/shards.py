"""Shards of chains: parts of a batch that run at the same time, each on threads of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from typing import TypeVar

import torch

from energybased.energy import Rows

FEWEST = 8  # chains of a shard: with fewer, products of matrices are slower per chain

Item = TypeVar("Item")
Made = TypeVar("Made")

_pools: dict[tuple[int, int, int], ThreadPoolExecutor] = {}  # by process, number of workers and threads of each
_lock = Lock()


def cut(n: int, device: torch.device) -> list[Rows]:
    """The rows of each shard of n chains. All shards have one size; the last is filled up with copies of the last row.

    There are as many shards as torch has threads, and fewer where a shard would have fewer than 8 chains. On a GPU
    there is one.
    """
    count = max(1, min(torch.get_num_threads(), n // FEWEST)) if device.type == "cpu" else 1
    size = -(-n // count)
    rows: list[Rows] = [slice(first, first + size) for first in range(0, n - size + 1, size)]
    filled = torch.arange(len(rows) * size, count * size, device=device).clamp(max=n - 1)
    return rows + ([filled] if len(filled) else [])


def together(function: Callable[[Item], Made], items: Iterable[Item]) -> list[Made]:
    """Calls a function for each item at the same time, on the threads of torch divided among the items.

    torch's settings of the calling thread do not change. Gradients are off in the function.
    """
    items = list(items)
    if len(items) == 1:
        return [function(items[0])]

    def call(item: Item) -> Made:
        with torch.no_grad():
            return function(item)

    return list(_pool(len(items)).map(call, items))


def _pool(workers: int) -> ThreadPoolExecutor:
    threads = torch.get_num_threads()
    key = os.getpid(), workers, threads
    with _lock:
        if key not in _pools:
            started = Barrier(workers + 1)
            pool = ThreadPoolExecutor(workers, "chains", _limit, (max(1, threads // workers),))
            for _ in range(workers):
                pool.submit(started.wait)
            started.wait()
            torch.set_num_threads(threads)  # a worker's setting would be the default of threads that start later
            _pools[key] = pool
        return _pools[key]


def _limit(threads: int) -> None:
    torch.get_num_threads()  # the first call in a thread takes the default, which would undo the limit later
    torch.set_num_threads(threads)
