"""The part of an energy that a compiled step takes as constant: everything but its parameters and buffers."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import fields, is_dataclass
from types import BuiltinFunctionType, FunctionType
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize

PLAIN = (int, float, str, bool, type(None), type, torch.dtype, torch.device, BuiltinFunctionType)
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
MODULE = frozenset(nn.Module().__dict__) - {"training"}  # attributes of every module


class Unfit(Exception):
    """A step cannot be compiled; the message is the reason."""


def structure(value: Any) -> Hashable:
    """A hashable description of everything in an energy but its parameters and buffers.

    It does not include global variables that a forward pass reads.

    Raises:
        Unfit: if the energy holds an object whose changes would not show in the description.
    """
    if isinstance(value, nn.Module):
        if any(getattr(value, hooks) for hooks in HOOKS):
            raise Unfit("the energy has hooks")
        kind = parametrize.type_before_parametrizations(value)
        own = [(name, structure(v)) for name, v in value.__dict__.items() if name not in MODULE]
        parts = [(name, structure(part)) for name, part in value._modules.items()]
        return kind, _settings(kind), tuple(own), tuple(parts)
    if isinstance(value, (tuple, list)):
        return type(value), tuple(structure(part) for part in value)
    if isinstance(value, dict):
        return tuple((key, structure(part)) for key, part in value.items())
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        return value.__code__, structure(cells), structure(value.__defaults__), structure(value.__kwdefaults__)
    if isinstance(value, PLAIN):
        return type(value), repr(value) if isinstance(value, float) else value
    if is_dataclass(value) and getattr(value, "__dataclass_params__").frozen:  # noqa: B009
        return type(value), tuple((f.name, structure(getattr(value, f.name))) for f in fields(value))
    raise Unfit(f"the energy holds a {type(value).__name__}, whose changes would go unnoticed")


def _settings(kind: type) -> Hashable:
    """The numbers and strings among the class attributes of a module."""
    own = [c for c in kind.__mro__ if not c.__module__.startswith(("torch.", "builtins", "abc"))]
    return tuple((name, repr(v)) for c in own for name, v in vars(c).items() if isinstance(v, (int, float, str)))
