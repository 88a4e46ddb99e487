"""Settings as JSON and back: frozen dataclasses, without any registry of strings."""

from __future__ import annotations

import dataclasses
import shlex
import types
import typing
from typing import Any, TypeVar

from energybased.errors import UserError, nearest
from energybased.recipes import KINDS, Recipe

T = TypeVar("T")


def to_json(settings: Any) -> Any:
    """Plain values; a dataclass says its class under "kind", so that a union can be read back."""
    if dataclasses.is_dataclass(settings) and not isinstance(settings, type):
        fields = {f.name: to_json(getattr(settings, f.name)) for f in dataclasses.fields(settings)}
        return {"kind": type(settings).__name__, **fields}
    if isinstance(settings, (tuple, list)):
        return [to_json(item) for item in settings]
    if settings is None or isinstance(settings, (bool, int, float, str)):
        return settings
    raise UserError(f"a setting of type {type(settings).__name__} cannot be written into a run")


def from_json(kind: type[T], value: Any) -> T:
    """The settings of class `kind` that `to_json` wrote; a name that it does not know is an error."""
    known = {f.name for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name in value:
        if name != "kind" and name not in known:
            raise UserError(f"{kind.__name__} has no setting {name!r}: {nearest(name, known)}")
    hints = typing.get_type_hints(kind)
    return kind(**{name: _read(hints[name], item) for name, item in value.items() if name != "kind"})


def read_recipe(value: Any) -> Recipe:
    """The recipe that `to_json` wrote."""
    for kind in KINDS:
        if isinstance(value, dict) and value.get("kind") == kind.__name__:
            return from_json(kind, value)
    raise UserError("the settings are of no kind of recipe that this version of energybased knows")


def _read(hint: Any, value: Any) -> Any:
    options = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    if isinstance(value, dict):
        for option in options:
            if dataclasses.is_dataclass(option) and option.__name__ == value.get("kind"):  # type: ignore[union-attr]
                return from_json(option, value)  # type: ignore[arg-type]
        raise UserError(f"no settings are called {value.get('kind')!r} here")
    if isinstance(value, list):
        kinds = [typing.get_args(option)[0] for option in options if typing.get_origin(option) is tuple]
        return tuple(_read(kinds[0], item) if kinds else item for item in value)
    return value


def differences(settings: Any, default: Any, prefix: str = "") -> list[str]:
    """The options of the command line that turn the default settings into these.

    >>> from energybased.recipes import digits
    >>> differences(digits(steps=5), digits())
    ['--steps 5']
    """
    options = []
    for f in dataclasses.fields(settings):
        mine, other = getattr(settings, f.name), getattr(default, f.name)
        name = prefix + f.name.replace("_", "-")
        if dataclasses.is_dataclass(mine) and type(mine) is type(other):
            options += differences(mine, other, name + ".")
        elif mine == other:
            continue
        elif isinstance(mine, bool):
            options.append(f"--{name}" if mine else f"--{prefix}no-{f.name.replace('_', '-')}")
        elif isinstance(mine, tuple) and any(dataclasses.is_dataclass(item) for item in mine):
            for i, (a, b) in enumerate(zip(mine, other, strict=False)):
                options += differences(a, b, f"{name}.{i}.")
        else:
            value = " ".join(shlex.quote(str(item)) for item in (mine if isinstance(mine, tuple) else (mine,)))
            options.append(f"--{name} {value}")
    return options
