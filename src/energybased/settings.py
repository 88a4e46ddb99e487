"""Settings as JSON and back: frozen dataclasses, checked by type; nothing is imported or executed.

A dataclass of this library is named by its class, and read back through the type hints of the field that holds it. One
of the user's own is named "module:Class", and looked up among the modules that are imported already.
"""

from __future__ import annotations

import dataclasses
import shlex
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union

from torch import nn

from energybased.errors import UserError, nearest, require

T = TypeVar("T")
OWN = "energybased"
HIDDEN = "hidden"
Hidden = Annotated[T, HIDDEN]  # a setting that is not an option of the command line


@dataclasses.dataclass(frozen=True)
class Given:
    """Stands for a module of the user's own, which a run names and does not keep.

    Args:
        name: of its class.
    """

    name: str


def to_json(settings: Any) -> Any:
    """Plain values; a dataclass says its class under "kind", and a module, which must be given again, under "given".

    Raises:
        UserError: if a value is none of these, or its class cannot be found again by name.
    """
    if isinstance(settings, Given):
        return {"given": settings.name}
    if dataclasses.is_dataclass(settings) and not isinstance(settings, type):
        fields = {f.name: to_json(getattr(settings, f.name)) for f in dataclasses.fields(settings) if f.init}
        return {"kind": name_of(type(settings)), **fields}
    if isinstance(settings, (tuple, list)):
        return [to_json(item) for item in settings]
    if isinstance(settings, Mapping):
        return {str(name): to_json(item) for name, item in settings.items()}
    if settings is None or isinstance(settings, (bool, int, float, str)):
        return settings
    if isinstance(settings, nn.Module):
        return {"given": type(settings).__name__}
    raise UserError(f"a setting of type {type(settings).__name__} cannot be written into a run")


def name_of(thing: type) -> str:
    """The name of a class of this library, or "module:Name" of the user's own.

    Raises:
        UserError: if it is not at the top level of a module, where it could be found again.
    """
    module = module_of(thing)
    if module.split(".")[0] == OWN:
        return thing.__qualname__
    top = "<" not in thing.__qualname__
    file = f"{module}.py" if module != "__main__" else "a file"
    advice = f"define it at the top level of {file}, which the command line imports with --import {file}"
    require(top, f"{thing.__qualname__} cannot be found again when the run is loaded: {advice}")
    return f"{module}:{thing.__qualname__}"


def module_of(thing: Any) -> str:
    """The module of a class; a script that is run is called as its file is."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    module: str = thing.__module__
    return Path(main).stem if module == "__main__" and main is not None else module


def find_named(name: str) -> type:
    """The frozen dataclass "module:Class", among the modules that are imported.

    Raises:
        UserError: if the module is not imported, or has no such class.
    """
    module, _, path = name.partition(":")
    require(module.split(".")[0] not in sys.stdlib_module_names - {"__main__"}, f"{name} is no class of settings")
    found: Any = sys.modules.get(module)
    main = sys.modules.get("__main__")
    if found is None and main is not None and Path(getattr(main, "__file__", None) or "").stem == module:
        found = main
    flag = module if "." in module else f"{module}.py"
    advice = f"import it before loading, or on the command line with --import {flag}"
    require(found is not None, f"{name} is not there: the module {module!r} is not imported; {advice}")
    for part in path.split("."):
        found = getattr(found, "__dict__", {}).get(part)  # getattr could run code of the module
    require(found is not None, f"the module {module!r} has no {path!r}")
    frozen = isinstance(found, type) and getattr(getattr(found, "__dataclass_params__", None), "frozen", False)
    require(frozen, f"{name} is no class of settings: it must be a frozen dataclass")
    kind: type = found
    return kind


def from_json(kind: type[T], value: Any) -> T:
    """The settings of class `kind` that `to_json` wrote.

    Raises:
        UserError: if a name is unknown, a value is of another type than its field, or out of range.
    """
    require(isinstance(value, dict), f"the settings of {kind.__name__} are no object, but {value!r}")
    known = {f.name for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name in value:
        require(name == "kind" or name in known, f"{kind.__name__} has no setting {name!r}: {nearest(name, known)}")
    try:
        hints = typing.get_type_hints(kind)
    except NameError as error:
        raise UserError(f"a type hint of {kind.__name__} cannot be looked up in its module: {error}") from error
    read = {n: _read(hints[n], item, f"{kind.__name__}.{n}") for n, item in value.items() if n != "kind"}
    try:
        return kind(**read)
    except TypeError as error:
        raise UserError(f"the settings of {kind.__name__} cannot be read: {error}") from error


def _read(hint: Any, value: Any, where: str) -> Any:
    options = _options(hint)
    if isinstance(value, dict) and "kind" in value:
        name = str(value["kind"])
        if ":" in name:
            return from_json(find_named(name), value)
        for option in options:
            if isinstance(option, type) and dataclasses.is_dataclass(option) and option.__name__ == name:
                return from_json(option, value)
        if any(option is Any or getattr(option, "_is_protocol", False) for option in options):
            return from_json(_of_library(name), value)
        raise UserError(f"{where} cannot be a {name!r}")
    if isinstance(value, dict) and set(value) == {"given"}:
        return Given(str(value["given"]))
    if isinstance(value, dict) and (dict in map(_origin, options) or Any in options):
        return dict(value)
    if isinstance(value, list):
        for option in options:
            kind, hints = _origin(option), typing.get_args(option)
            if kind in (tuple, list, Sequence):
                hints = hints if kind is tuple or not hints else (*hints, ...)
                items = [_read(_entry(hints, i), item, where) for i, item in enumerate(value)]
                return items if kind is list else tuple(items)
        require(Any in options, f"{where} cannot be a list")
        return tuple(value)
    require(any(_fits(option, value) for option in options), f"{where} cannot be {value!r}")
    return float(value) if float in options and isinstance(value, int) and not isinstance(value, bool) else value


def _of_library(name: str) -> type:
    """A dataclass of this library, where a field may hold any."""
    for module in [m for n, m in sys.modules.items() if n.split(".")[0] == OWN]:
        found = getattr(module, name, None)
        if isinstance(found, type) and dataclasses.is_dataclass(found):
            return found
    raise UserError(f"this version of energybased has no {name!r}")


def _options(hint: Any) -> list[Any]:
    """The alternatives of a type hint, without annotations."""
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return _options(typing.get_args(hint)[0])
    if origin in (Union, types.UnionType):
        return [option for part in typing.get_args(hint) for option in _options(part)]
    return [hint]


def _origin(hint: Any) -> Any:
    return typing.get_origin(hint) or hint


def _entry(arguments: Sequence[Any], i: int) -> Any:
    if len(arguments) == 2 and arguments[1] is ...:
        return arguments[0]
    return arguments[i] if i < len(arguments) else Any


def _fits(option: Any, value: Any) -> bool:
    if option is Any or (isinstance(option, TypeVar)):
        return True
    if typing.get_origin(option) is Literal:
        return value in typing.get_args(option)
    if option is type(None) or option is None:
        return value is None
    if option is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if option in (int, str, bool):
        return type(value) is option
    return False


def differences(settings: Any, default: Any, prefix: str = "") -> list[str]:
    """The options of the command line that turn the default settings into these.

    >>> from energybased.recipes import digits
    >>> differences(digits(steps=5), digits())
    ['--steps 5']
    """
    options = []
    for f in dataclasses.fields(settings):
        mine, other = getattr(settings, f.name), getattr(default, f.name, None)
        name = prefix + f.name.replace("_", "-")
        if dataclasses.is_dataclass(mine) and type(mine) is type(other):
            options += differences(mine, other, name + ".")
        elif mine == other:
            continue
        elif isinstance(mine, bool) and isinstance(other, bool):
            options.append(f"--{name}" if mine else f"--{prefix}no-{f.name.replace('_', '-')}")
        elif isinstance(mine, tuple) and any(dataclasses.is_dataclass(item) for item in mine):
            for i, (a, b) in enumerate(zip(mine, other or (), strict=False)):
                options += differences(a, b, f"{name}.{i}.")
        else:
            value = " ".join(shlex.quote(str(item)) for item in (mine if isinstance(mine, tuple) else (mine,)))
            options.append(f"--{name} {value}")
    return options
