"""Modules for chains: copies that share all tensors, take no gradients and change nothing."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.utils import parametrize

Kind = TypeVar("Kind", bound=nn.Module)


@torch.no_grad()
def frozen(module: Kind, keep_mode: bool = False) -> Kind:
    """A copy of a module and its submodules that shares their parameters and buffers.

    The parameters of the copy take no gradients, its modules are in eval mode, and parametrised weights (such as
    spectral norms) are computed once. The module itself is not changed, so several threads can use it at once.

    Args:
        module: any module; a module that `torch.compile` returned is copied as the module that it was made of.
        keep_mode: submodules keep their mode, for dropout within chains. Parametrisations and batch norms, whose
            forward pass in train mode would change buffers, are in eval mode nevertheless.
    """
    copies: dict[int, Any] = {}

    def copy(part: Any) -> Any:
        if isinstance(part, torch.jit.ScriptModule):
            return part
        part = getattr(part, "_orig_mod", part)
        if id(part) in copies:
            return copies[id(part)]
        held = part._modules.get("parametrizations") if parametrize.is_parametrized(part) else None
        made: Any = object.__new__(parametrize.type_before_parametrizations(part))
        copies[id(part)] = made
        made.__dict__.update(  # a module's own setting of attributes takes several times as long
            part.__dict__,
            training=part.training and keep_mode and not isinstance(part, nn.modules.batchnorm._BatchNorm),
            _parameters={name: None if p is None else shared(p) for name, p in part._parameters.items()},
            _buffers=dict(part._buffers),
            _modules={name: copy(m) for name, m in part._modules.items() if m is not held},
        )
        for name, parametrization in () if held is None else held.items():
            made._buffers[name] = frozen(parametrization)()
        return made

    def shared(parameter: nn.Parameter) -> nn.Parameter:
        copies.setdefault(id(parameter), nn.Parameter(parameter.detach(), requires_grad=False))
        return copies[id(parameter)]

    copied: Kind = copy(module)
    return copied
