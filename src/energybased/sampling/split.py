"""Splits a traced step into the operations that depend only on the energy, and all others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import fx

from energybased.sampling.structure import Unfit


def split(traced: fx.GraphModule, fixed: int) -> tuple[fx.GraphModule, fx.GraphModule]:
    """Splits a trace into two graphs.

    The first has the operations that depend only on the first `fixed` inputs. The second has all other operations; its
    first inputs are the results of the first graph.
    """
    inputs = [node for node in traced.graph.nodes if node.op == "placeholder"]
    calls = [node for node in traced.graph.nodes if node.op == "call_function"]
    (outputs,) = (node.args[0] for node in traced.graph.nodes if node.op == "output")
    moving, found = set(inputs[fixed:]), 0
    for node in calls:
        for written in _written(node):  # a tensor that an operation writes into must be computed in every step
            moving.update((node, *_owners(written, inputs[:fixed])))
    while found < len(moving):
        found = len(moving)
        moving.update(node for node in calls if any(source in moving for source in node.all_input_nodes))
    still = [*inputs[:fixed], *(node for node in calls if node not in moving)]
    handed = [node for node in still if any(user in moving or user.op == "output" for user in node.users)]
    once = _graph(inputs[:fixed], [node for node in still if node.op == "call_function"], handed)
    step = _graph([*handed, *inputs[fixed:]], [node for node in calls if node in moving], outputs)
    return fx.GraphModule(traced, once), fx.GraphModule(traced, step)


def _written(node: fx.Node) -> list[fx.Node]:
    """The tensors that an operator writes into."""
    schema = getattr(node.target, "_schema", None)
    if schema is None or not schema.is_mutable:
        return []
    given = dict(zip((argument.name for argument in schema.arguments), node.args, strict=False)) | node.kwargs
    names = [a.name for a in schema.arguments if a.alias_info is not None and a.alias_info.is_write]
    values = [given[name] for name in names if name in given]
    flat = [part for value in values for part in (value if isinstance(value, (list, tuple)) else (value,))]
    return [part for part in flat if isinstance(part, fx.Node)]


def _owners(node: fx.Node, fixed: list[fx.Node]) -> Iterator[fx.Node]:
    """A tensor, and the tensors of which it may be a view."""
    while node.op == "call_function":
        yield node
        schema = getattr(node.target, "_schema", None)  # None for one of several results of an operator
        own = schema is not None and all(made.alias_info is None for made in schema.returns)
        if own or not node.all_input_nodes:
            return
        node = node.all_input_nodes[0]
    if node in fixed:
        raise Unfit("its steps write into parameters or buffers")


def _graph(inputs: list[fx.Node], calls: list[fx.Node], outputs: list[Any]) -> fx.Graph:
    graph = fx.Graph()
    copies = {node: graph.placeholder(node.name) for node in inputs}
    for node in calls:
        copies[node] = graph.node_copy(node, copies.__getitem__)
    graph.output([copies[node] for node in outputs])
    return graph
