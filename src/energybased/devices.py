"""Where things are computed."""

from __future__ import annotations

import time
from functools import cache

import torch

from energybased.errors import UserError, require

SIZE, TRIALS = 256, 3  # of the matrix products that are timed


def find_device(name: str | torch.device) -> torch.device:
    """The device of this name: "cpu", "cuda", "cuda:1", "mps", or "auto" for a GPU if there is one.

    Raises:
        UserError: if there is no such device on this machine.
    """
    if str(name) == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise UserError(f"{name!r} is no device: say auto, cpu, cuda, cuda:1 or mps") from error
    require(device.type in ("cpu", "cuda", "mps"), f"{name!r} is no device: say auto, cpu, cuda, cuda:1 or mps")
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        require((device.index or 0) < count, f"there is no device {name}: this machine has {count} CUDA devices")
    require(device.type != "mps" or torch.backends.mps.is_available(), "there is no device mps on this machine")
    return device


@cache
def bfloat16_pays(device: torch.device) -> bool:
    """Whether matrix products in bfloat16 take less time than in float32. It is measured on a CPU; others have units.

    Processors without instructions for bfloat16 take up to a hundred times as long.
    """
    if device.type != "cpu":
        return True
    half, single = (
        min(_seconds(torch.ones(SIZE, SIZE, dtype=dtype, device=device)) for _ in range(TRIALS))
        for dtype in (torch.bfloat16, torch.float32)
    )
    return half < single


def _seconds(matrix: torch.Tensor) -> float:
    began = time.perf_counter()
    _ = matrix @ matrix
    return time.perf_counter() - began
