"""Where things are computed."""

from __future__ import annotations

import torch

from energybased.errors import UserError, require


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
