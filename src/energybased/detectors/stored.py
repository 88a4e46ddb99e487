"""A fitted detector in one safetensors file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from energybased.algebra import Combination
from energybased.detectors.encoder import Encoder
from energybased.detectors.energy_detector import EnergyDetector
from energybased.detectors.fold import Folds
from energybased.detectors.normal import HIDDEN
from energybased.energies.field_norm import FieldNorm
from energybased.energies.neighbours import Neighbours
from energybased.energies.surprisal import Surprisal
from energybased.energies.tails import Tails
from energybased.energy import Energy
from energybased.errors import UserError, require
from energybased.networks.column_denoiser import ColumnDenoiser
from energybased.version import __version__

FORMAT, FORMAT_VERSION = "energybased-detector", 1
ENCODER = ("levels", "median", "missing", "mean", "scale")
FITTED = ("threshold_", "n_features_in_", "novelty_", "contamination_")


def write_detector(detector: EnergyDetector, path: Path) -> None:
    """Writes a fitted detector.

    Raises:
        UserError: if the file cannot be written.
    """
    tensors = {f"encoder.{name}": torch.from_numpy(np.asarray(getattr(detector.encoder_, name))) for name in ENCODER}
    tensors |= {"kept": torch.from_numpy(detector.kept_), "scores": torch.from_numpy(detector.decision_scores_)}
    tensors |= {"labels": torch.from_numpy(detector.labels_), "p_values": torch.from_numpy(detector.p_values_)}
    energies = [energy for energy in (detector.folds_.common, *detector.folds_.own) if energy is not None]
    for i, energy in enumerate(energies):
        tensors |= {f"energy{i}.{name}": value for name, value in energy.state_dict().items()}
    tensors |= {f"references{i}": own for i, own in enumerate(detector.folds_.references)}
    seed = detector.random_state if isinstance(detector.random_state, (int, np.integer)) else None
    parameters: dict[str, Any] = {"novelty": detector.novelty_, "contamination": detector.contamination_}
    parameters |= {"categories": list(detector.levels_), "random_state": None if seed is None else int(seed)}
    facts = {
        "version": FORMAT_VERSION,
        "library": __version__,
        "parameters": parameters,
        "fitted": {name: getattr(detector, name) for name in FITTED},
        "names": [str(name) for name in getattr(detector, "feature_names_in_", [])],
        "levels": {str(column): list(levels) for column, levels in detector.levels_.items()},
        "energies": [_outline(energy) for energy in energies],
    }
    try:
        stored = {name: value.clone().contiguous() for name, value in tensors.items()}
        save_file(stored, path, metadata={FORMAT: json.dumps(facts)})
    except (OSError, SafetensorError) as error:
        raise UserError(f"cannot write {path}: {error}") from error


def read_detector(path: Path) -> EnergyDetector:
    """Reads what `write_detector` wrote.

    Raises:
        UserError: if there is no such file, it is damaged, or no detector of this version.
    """
    require(path.is_file(), f"there is no file {path}")
    try:
        with safe_open(path, "pt") as file:
            facts = json.loads((file.metadata() or {}).get(FORMAT, "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no dictionary
    except (OSError, SafetensorError, ValueError) as error:
        raise UserError(f"{path} is cut short or not a detector") from error
    require(isinstance(facts, dict), f"{path} is not a detector: EnergyDetector.save writes one")
    known = facts.get("version") == FORMAT_VERSION
    require(known, f"{path} has version {facts.get('version')} of the format, and this library reads {FORMAT_VERSION}")
    try:
        detector = _build(facts, tensors)
        _check(detector, len(facts["names"]))
        return detector
    except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise UserError(f"{path} is damaged: {error}") from error


def _check(detector: EnergyDetector, names: int) -> None:
    """Raises an error if the parts of a detector do not belong together."""
    n, columns = len(detector.decision_scores_), detector.n_features_in_
    require(detector.kept_.shape[1:] == (columns,) and names in (0, columns), "its columns differ")
    require(len(detector.labels_) == len(detector.p_values_) == n > 0, "its numbers of rows differ")
    require(isinstance(detector.threshold_, float) and isinstance(detector.novelty_, bool), "its settings are not")
    encoder = detector.encoder_
    require(len(encoder.mean) == len(encoder.scale) == len(encoder.owners), "its entries differ")
    energies = detector._energies(detector.kept_[:2])
    known = [detector.decision_scores_, energies, *(own.numpy() for own in detector.folds_.references)]
    require(all(len(part) and bool(np.isfinite(part).all()) for part in known), "its energies are not finite")
    require(len(energies) == len(detector.folds_.references), "its folds differ")


def _build(facts: Any, tensors: dict[str, Tensor]) -> EnergyDetector:
    parameters = facts["parameters"]
    detector = EnergyDetector(**{**parameters, "categories": tuple(parameters["categories"])})
    detector.encoder_ = Encoder(*(tensors[f"encoder.{name}"].numpy() for name in ENCODER))
    detector.kept_, detector.decision_scores_ = tensors["kept"].numpy(), tensors["scores"].numpy()
    detector.labels_, detector.p_values_ = tensors["labels"].numpy(), tensors["p_values"].numpy()
    detector.levels_ = {int(column): levels for column, levels in facts["levels"].items()}
    for name in FITTED:
        setattr(detector, name, facts["fitted"][name])
    if facts["names"]:
        detector.feature_names_in_ = np.array(facts["names"], dtype=object)
    energies = []
    for i, outline in enumerate(facts["energies"]):
        own = {name[len(f"energy{i}.") :]: value for name, value in tensors.items() if name.startswith(f"energy{i}.")}
        energy = _energy(outline, own)
        energy.load_state_dict(own)
        energies.append(energy.eval().requires_grad_(False))
    references = [tensors[f"references{i}"] for i in range(max(1, len(energies) - 1))]
    detector.folds_ = Folds(energies[0], energies[1:], references)
    return detector


def _outline(energy: Energy) -> Any:
    """What an energy is made of, as JSON."""
    if isinstance(energy, Combination):
        return {"sum": [_outline(term) for term in energy.terms], "weights": list(energy.weights)}
    if isinstance(energy, Surprisal):
        return {"surprisal": _outline(energy.terms[0])}
    if isinstance(energy, Neighbours):
        return {"neighbours": energy.k}
    return "tails" if isinstance(energy, Tails) else "denoiser"


def _energy(outline: Any, state: dict[str, Tensor]) -> Energy:
    """An energy of this outline, whose tensors have the shapes of the state."""

    def inside(part: str) -> dict[str, Tensor]:
        return {name[len(part) :]: value for name, value in state.items() if name.startswith(part)}

    if outline == "tails":
        return Tails(torch.zeros_like(state["columns"]).T)
    if outline == "denoiser":
        return FieldNorm(ColumnDenoiser(state["field.sigma"], HIDDEN))
    if "neighbours" in outline:
        return Neighbours(torch.zeros_like(state["points"]), outline["neighbours"])
    if "surprisal" in outline:
        own = _energy(outline["surprisal"], inside("members.0."))
        return Surprisal(own, torch.zeros_like(state["references"]))
    terms = [_energy(term, inside(f"members.{i}.")) for i, term in enumerate(outline["sum"])]
    return Combination(terms, outline["weights"])
