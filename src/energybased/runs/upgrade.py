"""Conversion of what earlier versions stored."""

from __future__ import annotations

from typing import Any

from energybased.conditions import Classes
from energybased.data import DataSpec, Pixels
from energybased.errors import require
from energybased.models.file import Stored
from energybased.models.fitted import Fitted
from energybased.settings import from_json, to_json

RENAMED = {"whole": "train_on_validation", "without": "holdout_class", "pooled": "pooled_split"}
GONE = {"augment", "max_visits", "dense"}


def upgraded(stored: Stored, where: str) -> tuple[Any, Any]:
    """The settings of the recipe and the spec in an exported file, as JSON of this version.

    Raises:
        UserError: if the file is of version 0.1, and not an energy over pixels.
    """
    if stored.version > 1:
        return stored.settings, stored.spec
    settings = _renamed(stored.settings)
    require(
        settings.get("kind") == "EnergyRecipe",
        f"{where} was exported by version 0.1, of which only energies can be read",
    )
    classes = settings.pop("classes", 0) or 0
    conditions = (Classes(classes),) if classes else ()
    spec = DataSpec(tuple(stored.spec["event"]), Pixels(), conditions, str(settings.get("data", "")))
    return {**settings, "conditional": bool(classes)}, to_json(spec)


def fitted_of(value: Any) -> Fitted:
    """What was fitted, from JSON. Runs and files of format 4 may call the mean energy "usual"."""
    require(isinstance(value, dict), f"what was fitted is no object, but {value!r}")
    return from_json(Fitted, {"mean_energy" if name == "usual" else name: item for name, item in value.items()})


def _renamed(value: Any) -> Any:
    if isinstance(value, dict):
        return {RENAMED.get(name, name): _renamed(item) for name, item in value.items() if name not in GONE}
    return [_renamed(item) for item in value] if isinstance(value, list) else value
