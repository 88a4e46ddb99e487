"""Whether a network can be differentiated twice, and which of its layers cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from energybased.energy import Condition, Energy
from energybased.errors import UserError
from energybased.sampling.frozen import frozen

ROWS = 2  # of a batch that are tried


class Call(NamedTuple):
    """A call of a layer.

    Args:
        name: of the layer within the energy; empty for the energy itself.
        kind: its class.
        forward: its forward pass.
        inputs: copies of the arguments, without and with names.
        autocast: the dtype of autocast, and whether it was on.
    """

    name: str
    kind: str
    forward: Callable[..., Any]
    inputs: tuple[tuple[Any, ...], dict[str, Any]]
    autocast: tuple[torch.dtype, bool]


def check_second_derivatives(energy: Energy, x: Tensor, y: Condition | None) -> None:
    """Tries a second derivative with respect to x of every layer, on two examples.

    Without this, torch may leave out the part of a gradient that it cannot compute, and says nothing: an operation
    whose derivative cannot be differentiated is then taken for a constant.

    Args:
        energy: the energy, which takes x and y.
        x: examples, `(batch, *event)`.
        y: their condition, one row for each row of x.

    Raises:
        UserError: if a layer cannot be differentiated twice; it is named.
    """
    rows = slice(ROWS)
    y = tuple(part[rows] for part in y) if isinstance(y, tuple) else None if y is None else y[rows]
    with torch.enable_grad():
        made = calls(energy, x[rows].detach().clone().requires_grad_(), y)
        for call in reversed(made):  # so that a layer is tried before those that it is within
            reason = fault(call, x.device.type)
            if reason is not None:
                layer = f"its layer {call.name} ({call.kind})" if call.name else f"{call.kind} itself"
                failed = f"{layer} cannot be differentiated twice: {reason}"
                raise UserError(f"the energy is trained by its gradient, but {failed}")


def calls(energy: Energy, x: Tensor, y: Condition | None) -> list[Call]:
    """All calls of modules in one pass, each before those within it.

    The modules are those of a copy (`sampling.frozen`), so the energy does not change.
    """
    made: list[Call] = []

    def recorded(name: str, kind: str, forward: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            inputs = tuple(map(copied, arguments)), {key: copied(value) for key, value in named.items()}
            device = x.device.type
            autocast = torch.get_autocast_dtype(device), torch.is_autocast_enabled(device)
            made.append(Call(name, kind, forward, inputs, autocast))
            return forward(*arguments, **named)

        return call

    copy = frozen(energy, keep_mode=True)
    for name, module in copy.named_modules():
        if not isinstance(module, torch.jit.ScriptModule):
            module.__dict__["forward"] = recorded(name, type(module).__name__, module.forward)
    copy(x, y)
    return made


def copied(value: Any) -> Any:
    """A leaf of its own in place of a tensor that depends on x; a layer may change its input in place."""
    return value.detach().clone().requires_grad_() if isinstance(value, Tensor) and value.requires_grad else value


def fault(call: Call, device: str) -> str | None:
    """Why the second derivative of a layer cannot be computed, in torch's words; None if it can."""
    arguments, named = call.inputs
    leaves = [v for v in (*arguments, *named.values()) if isinstance(v, Tensor) and v.requires_grad and v.is_leaf]

    def own(value: Any) -> Any:
        return value.clone() if any(value is leaf for leaf in leaves) else value

    with torch.autocast(device, *call.autocast):
        out = call.forward(*map(own, arguments), **{key: own(value) for key, value in named.items()})
    parts = out if isinstance(out, (tuple, list)) else (out,)
    outputs = [part for part in parts if isinstance(part, Tensor) and part.requires_grad]
    if not leaves or not outputs:
        return None
    weights = [torch.ones_like(part).requires_grad_() for part in outputs]
    try:
        found = torch.autograd.grad(outputs, leaves, weights, create_graph=True, allow_unused=True)
        slopes = [slope for slope in found if slope is not None]
        if not all(slope.requires_grad for slope in slopes):  # it is linear in the weights, so it depends on them
            return "its derivative is cut off from its input"
        torch.stack([slope.float().square().sum() for slope in slopes]).sum().backward()
    except RuntimeError as error:
        return str(error).split("\n")[0].split(". ")[0]
    return None
