"""Public names have docstrings; they state the shapes of tensors, and describe every field of a dataclass."""

import dataclasses
import importlib
import inspect
import pkgutil
import re
import sys
from functools import cached_property

import energybased

SHAPE = re.compile(r"`\([^`]*,[^`]*\)`|\b0-d\b")  # `(batch, *event)`, `(n,)` or 0-d
OF_TORCH = ("extra_repr",)  # methods that torch documents
WRAPPERS = ((property, "fget"), (cached_property, "func"), (staticmethod, "__func__"), (classmethod, "__func__"))


def is_own(thing):
    return getattr(thing, "__module__", "").split(".")[0] == "energybased"


def public():
    """The classes and functions of every `__all__`, by their full names."""
    names = [module.name for module in pkgutil.iter_modules(energybased.__path__) if module.ispkg]
    packages = [energybased, *(importlib.import_module(f"energybased.{name}") for name in names)]
    named = [getattr(package, name) for package in packages for name in getattr(package, "__all__", ())]
    found = [thing for thing in named if is_own(thing) and (inspect.isclass(thing) or inspect.isfunction(thing))]
    return {f"{thing.__module__}.{thing.__qualname__}": thing for thing in found}


def methods(kind):
    """The functions of the public methods and properties that a class itself defines, by name."""
    held = {name: member for name, member in vars(kind).items() if name[0] != "_" and name not in OF_TORCH}
    for name, member in held.items():
        held[name] = next((getattr(member, at) for wrapper, at in WRAPPERS if isinstance(member, wrapper)), member)
    return {name: member for name, member in held.items() if inspect.isfunction(member)}


PUBLIC = public()
CLASSES = {name: thing for name, thing in PUBLIC.items() if inspect.isclass(thing)}
MODULES = [module for name, module in sys.modules.items() if name.split(".")[0] == "energybased"]
HELD = {thing for module in MODULES for thing in vars(module).values() if inspect.isclass(thing) and is_own(thing)}
PROTOCOLS = [kind for kind in HELD if getattr(kind, "_is_protocol", False)]


def own_doc(thing):
    """The docstring of a class or function itself, unless dataclass or NamedTuple has generated it."""
    doc = vars(thing).get("__doc__") or "" if inspect.isclass(thing) else thing.__doc__ or ""
    return "" if doc.startswith(f"{thing.__name__}(") else doc


def class_docs(kind):
    return "\n".join(own_doc(base) for base in kind.__mro__ if is_own(base))


def parameters(function):
    return list(inspect.signature(function).parameters)


def method_docs(kind, name, function):
    """The docstrings of a method in a class, its bases, and protocols that have a method of the same parameters."""
    held = [methods(base)[name] for base in kind.__mro__ if is_own(base) and name in methods(base)]
    inherited = [methods(protocol)[name] for protocol in PROTOCOLS if name in methods(protocol)]
    return "\n".join(own_doc(f) for f in held + [f for f in inherited if parameters(f) == parameters(function)])


def documented():
    """Name, callable, docstring, and docstrings of the class, for all public functions, classes and methods."""
    for name, thing in PUBLIC.items():
        yield name, thing, own_doc(thing), class_docs(thing) if name in CLASSES else ""
    for name, kind in CLASSES.items():
        for base in filter(is_own, kind.__mro__):
            for method, function in methods(base).items():
                yield f"{name}.{method}", function, method_docs(kind, method, function), class_docs(kind)


def signature(thing):
    """The signature as text, with the names of types; empty for an exception."""
    return "" if inspect.isclass(thing) and issubclass(thing, Exception) else str(inspect.signature(thing))


def test_every_public_name_has_a_docstring():
    assert sorted({name for name, _, doc, _ in documented() if not doc.strip()}) == []


def test_docstrings_state_the_shapes_of_tensors():
    found = [(name, doc + rest) for name, f, doc, rest in documented() if re.search(r"Tensor\b|Array\b", signature(f))]
    assert sorted({name for name, doc in found if not SHAPE.search(doc)}) == []


def test_every_field_of_a_dataclass_or_named_tuple_is_described():
    missing = []
    for name, kind in CLASSES.items():
        data = dataclasses.is_dataclass(kind)
        fields = [f.name for f in dataclasses.fields(kind)] if data else getattr(kind, "_fields", ())
        described = "".join(class_docs(kind).split("Args:")[1:])
        missing += [f"{name}.{field}" for field in fields if f"  {field}: " not in described]
    assert missing == []
