"""The weights of another model, at which a training begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from energybased.errors import require
from energybased.models.file import digest, read_model
from energybased.models.shipped import located
from energybased.training.checkpoint import load_group, read_state
from energybased.training.run import Run
from energybased.training.state import split_parts

SHOWN = 3  # differences that an error names


@dataclass(frozen=True)
class InitialWeights:
    """Weights of a trained model.

    Args:
        model: what the user calls it: a path, or the name of a shipped model.
        recipe: name of the recipe that trained it.
        step: number of its updates; None if it is an exported file, which does not tell.
        weights: the averaged weights "part/name", `(out, ...)`.
    """

    model: str
    recipe: str
    step: int | None
    weights: Mapping[str, Tensor]

    @staticmethod
    def read(path: Path | str) -> InitialWeights:
        """The weights of the newest checkpoint of a run, of an exported file, or of a shipped model.

        Raises:
            UserError: if there is no model, or it is damaged.
        """
        found = located(path)
        if found.is_file():
            stored = read_model(found)
            recipe = stored.settings.get("recipe", "") if isinstance(stored.settings, dict) else ""
            return InitialWeights(str(path), str(recipe), None, stored.weights)
        run = Run.open(found)
        facts, folder = run.recipe, run.newest_checkpoint()
        state = read_state(folder, facts["identity"])
        return InitialWeights(str(path), facts["recipe"], state["counters"]["step"], load_group(folder, "ema"))

    def facts(self, parts: Mapping[str, nn.Module]) -> dict[str, Any]:
        """What recipe.json tells of the beginning: the model, its weights, and the parts that have them."""
        told = {"model": self.model, "recipe": self.recipe, "step": self.step, "sha256": digest({}, self.weights)}
        return {**told, "parts": self.shared(parts)}

    def shared(self, parts: Mapping[str, nn.Module]) -> list[str]:
        """The names of the parts that begin at these weights: those that the other model has as well.

        Raises:
            UserError: if there is none.
        """
        there = split_parts(self.weights)
        names = [name for name in parts if name in there]
        parted = f"it has {', '.join(there)}, but the recipe trains {', '.join(parts)}"
        require(len(names) > 0, f"no part can begin at the weights of {self.model}: {parted}")
        return names

    def load(self, parts: Mapping[str, nn.Module]) -> None:
        """Copies weights and buffers into the parts of the same names. All that the model computes comes with them.

        Raises:
            UserError: if names or shapes of a part differ; then no part is changed.
        """
        there = split_parts(self.weights)
        chosen = {name: alike(there[name], parts[name]) for name in self.shared(parts)}
        found = [line for name, weights in chosen.items() for line in differences(name, weights, parts[name])]
        listed = "; ".join([*found[:SHOWN], *([f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else [])])
        require(not found, f"the weights of {self.model} do not fit the networks of this recipe: {listed}")
        for name, weights in chosen.items():
            parts[name].load_state_dict(weights)


def alike(weights: Mapping[str, Tensor], part: nn.Module) -> Mapping[str, Tensor]:
    """The weights `(out, ...)` under the names of a part that computes in another precision.

    A network that computes in bfloat16 is the `module` of another one (`networks.BFloat16`), and its weights are the
    same as in float32.
    """
    names = part.state_dict().keys()
    if weights.keys() == names:
        return weights
    here = {plain(name): name for name in names}
    return {here.get(plain(name), name): value for name, value in weights.items()}


def plain(name: str) -> str:
    """The name of a weight without the wrapper of a precision.

    >>> plain("network.module.0.weight")
    'network.0.weight'
    """
    return ".".join(word for word in name.split(".") if word != "module")


def differences(part: str, weights: Mapping[str, Tensor], module: nn.Module) -> list[str]:
    """What does not fit, in words: each name of one side alone, and each shape that differs."""
    here, there = ({n: tuple(v.shape) for n, v in side.items()} for side in (module.state_dict(), weights))
    lines = []
    for name in dict.fromkeys((*here, *there)):
        mine, other = here.get(name), there.get(name)
        if mine is None or other is None:
            lines.append(f"{part}/{name} is {'here' if other is None else 'there'} alone")
        elif mine != other:
            lines.append(f"{part}/{name} is {other} there and {mine} here")
    return lines
