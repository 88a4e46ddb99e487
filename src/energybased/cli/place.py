"""Where a command computes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from energybased.runs.load import load


@dataclass(frozen=True)
class Place:
    """The device and the processes that compute.

    Args:
        device: device that computes, such as cpu or cuda.
        devices: number of processes on each machine, each with a GPU or a share of the processor.
        nodes: number of machines.
    """

    device: str = "cpu"
    devices: int = 1
    nodes: int = 1

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of `load` and `subject_of`."""
        return asdict(self)

    def load(self, path: Path) -> Any:
        """The model of a run or of an exported file, at this place."""
        return load(path, **self.options)


HERE = Place()  # this process alone, on the processor
PlaceOptions = Annotated[Place, tyro.conf.arg(name="")]  # so that the options have no prefix
