"""The processes of one command, on one machine or on several."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from energybased.devices import find_device
from energybased.errors import UserError, require

log = logging.getLogger("energybased")

Item = TypeVar("Item")


class Told(UserError):
    """An error whose message the first process prints."""

    told = True


class Lost(UserError):
    """Another process has ended before its work was done."""


@dataclass(frozen=True)
class Processes:
    """The processes of one command, which all make the same calls of these methods.

    Args:
        rank: number of this process.
        count: number of processes.
        device: device of this process; None for that of the settings.
    """

    rank: int = 0
    count: int = 1
    device: torch.device | None = None

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    def share(self, shards: int) -> range:
        """The numbers of the shards of this process.

        Raises:
            UserError: if the shards cannot be shared out equally.
        """
        even = shards % self.count == 0
        require(even, f"{shards} shards cannot be shared out equally among {self.count} processes")
        each = shards // self.count
        return range(self.rank * each, (self.rank + 1) * each)

    def sum(self, tensors: Sequence[Tensor]) -> None:
        """Replaces tensors by their sums over all processes."""
        self._flat(tensors, dist.all_reduce)

    def copy(self, tensors: Sequence[Tensor]) -> None:
        """Replaces tensors by those of the first process."""
        self._flat(tensors, lambda flat: dist.broadcast(flat, 0))

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes, which can be pickled."""
        found = [value] * self.count
        if self.count > 1:
            with _connected():
                dist.all_gather_object(found, value)
        return found

    def each(self, function: Callable[[Item], Tensor], items: Sequence[Item], place: Tensor) -> list[Tensor]:
        """The results of a function for each item, on the device of `place`. The processes take the items in turn."""
        mine = [function(item) for item in items[self.rank :: self.count]]
        if self.count == 1:
            return mine
        everyone = self.gather([made.cpu() for made in mine])
        return [everyone[i % self.count][i // self.count].to(place.device) for i in range(len(items))]

    def once(self, function: Callable[[], None]) -> None:
        """Calls a function in the first process. The others wait; if it raises `UserError`, they raise `Told`."""
        message = None
        if self.first:
            try:
                function()
            except UserError as error:
                self.gather(str(error))
                raise
        message = self.gather(message)[0]
        if message is not None:
            raise Told(message)

    def all(self, function: Callable[[], None]) -> None:
        """Calls a function in every process. If it raises `UserError` in one of them, all raise one."""
        error: UserError | None = None
        try:
            function()
        except UserError as raised:
            error = raised
        told = [message for message in self.gather(None if error is None else str(error)) if message is not None]
        if error is not None:
            raise error
        if told:
            raise UserError(told[0]) if self.first else Told(told[0])

    def agree(self, facts: Mapping[str, Any]) -> None:
        """Raises `UserError` in every process if these facts are not the same in all of them."""
        flat = dict(_leaves(facts))
        everyone = self.gather(flat)
        for rank, other in enumerate(everyone):
            for name in sorted(everyone[0].keys() | other.keys()):
                mine, theirs = everyone[0].get(name), other.get(name)
                if mine != theirs:
                    what = f"process {rank} has {name} = {theirs!r}, process 0 has {mine!r}"
                    raise (UserError if self.first else Told)(f"the processes differ: {what}")

    def _flat(self, tensors: Sequence[Tensor], collective: Callable[[Tensor], Any]) -> None:
        """Applies a collective operation to all tensors of one dtype at once."""
        if self.count == 1:
            return
        for dtype in dict.fromkeys(tensor.dtype for tensor in tensors):
            alike = [tensor for tensor in tensors if tensor.dtype == dtype]
            flat = torch.cat([tensor.detach().reshape(-1) for tensor in alike])
            flat = flat.byte() if dtype == torch.bool else flat  # backends cannot add the former
            with _connected():
                collective(flat)
            for tensor, part in zip(alike, flat.split([t.numel() for t in alike]), strict=True):
                tensor.detach().copy_(part.view(tensor.shape))


ALONE = Processes()


def launch(devices: int, nodes: int, device: str) -> Processes:
    """Starts the other processes of this machine, or joins those that torchrun or SLURM has started.

    The other processes run the same command. Each process of a CPU has its share of the threads.

    Args:
        devices: number of processes on each machine, each with a GPU of its own if the device is one.
        nodes: number of machines.
        device: as in `Settings`.

    Raises:
        UserError: if the devices are not there, or `lightning-fabric` is not installed.
    """
    if dist.is_available() and dist.is_torchelastic_launched() and (devices, nodes) == (1, 1):
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        nodes = int(os.environ["WORLD_SIZE"]) // devices
    require(devices >= 1 and nodes >= 1, f"devices and nodes must be at least 1, got {devices} and {nodes}")
    if devices * nodes == 1:
        return ALONE
    kind = find_device(device).type
    there = torch.cuda.device_count() if kind == "cuda" else os.cpu_count() or 1
    unit = "GPUs" if kind == "cuda" else "processor cores"
    require(devices <= there, f"this machine has {there} {unit}: it cannot run {devices} processes")
    require(kind in ("cpu", "cuda"), f"several processes need the device cpu or cuda, not {kind}")
    require(
        nodes == 1 or not {"MASTER_ADDR", "SLURM_JOB_ID"}.isdisjoint(os.environ),
        f"{nodes} machines find each other by MASTER_ADDR and MASTER_PORT of the first one, and NODE_RANK, the number "
        "of this one: set these variables, or start with torchrun or SLURM",
    )
    if not dist.is_initialized():
        found = importlib.util.find_spec("lightning_fabric") is not None
        require(found, "several processes need Fabric: pip install 'energybased[distributed]'")
        from lightning_fabric import Fabric  # imported here, because it takes seconds

        logging.getLogger("lightning_fabric").setLevel(logging.ERROR)
        fabric = Fabric(accelerator=kind, devices=devices, num_nodes=nodes, strategy="ddp")
        with _connected():
            fabric.launch()
    rank, count = dist.get_rank(), dist.get_world_size()
    require(count == devices * nodes, f"{devices} devices on {nodes} machines were asked for, but {count} run")
    if rank:
        log.setLevel(logging.ERROR)  # the first process tells what happens
    local = torch.device("cuda", int(os.environ.get("LOCAL_RANK", rank % devices))) if kind == "cuda" else None
    return Processes(rank, count, local)


def is_first() -> bool:
    """Whether this process is the only one or the first of several."""
    return not (dist.is_available() and dist.is_initialized()) or dist.get_rank() == 0


@contextmanager
def _connected() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # what the backends raise when a peer is gone
        raise Lost("another process has ended, or cannot be reached") from error


def _leaves(facts: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested dictionaries, named "outer.inner"."""
    if isinstance(facts, Mapping):
        for key, value in facts.items():
            yield from _leaves(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, facts
