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
from energybased.detectors.normal_pictures import Entries
from energybased.detectors.picture_detector import PictureDetector
from energybased.detectors.picture_features import PictureFeatures
from energybased.energies.field_norm import FieldNorm
from energybased.energies.largest import Largest
from energybased.energies.measured import Through
from energybased.energies.neighbours import Neighbours
from energybased.energies.patches import Patches
from energybased.energies.principal import PrincipalGaussian
from energybased.energies.surprisal import Surprisal
from energybased.energies.tails import Tails
from energybased.energy import Energy
from energybased.errors import UserError, require
from energybased.evaluation.extractors.lite import GRID, PATCH_WIDTH, WIDTH
from energybased.networks.column_denoiser import ColumnDenoiser
from energybased.version import __version__

FORMAT, FORMAT_VERSION = "energybased-detector", 2
ENCODER = ("levels", "median", "missing", "mean", "scale")
FITTED = ("threshold_", "novelty_", "contamination_")
KINDS: dict[str, type[EnergyDetector] | type[PictureDetector]] = {"table": EnergyDetector, "pictures": PictureDetector}
Storable = EnergyDetector | PictureDetector


def write_detector(detector: Storable, path: Path) -> None:
    """Writes a fitted detector.

    Raises:
        UserError: if the file cannot be written.
    """
    tensors = {"kept": torch.from_numpy(detector.kept_), "scores": torch.from_numpy(detector.decision_scores_)}
    tensors |= {"labels": torch.from_numpy(detector.labels_), "p_values": torch.from_numpy(detector.p_values_)}
    common, own = detector.folds_.common, detector.folds_.own
    energies = [*([] if common is None else [common]), *own]
    for i, energy in enumerate(energies):
        tensors |= {f"energy{i}.{name}": value for name, value in energy.state_dict().items()}
    tensors |= {f"references{i}": own for i, own in enumerate(detector.folds_.references)}
    seed = detector.random_state if isinstance(detector.random_state, (int, np.integer)) else None
    parameters: dict[str, Any] = {"novelty": detector.novelty_, "contamination": detector.contamination_}
    facts = {
        "version": FORMAT_VERSION,
        "library": __version__,
        "kind": next(name for name, kind in KINDS.items() if isinstance(detector, kind)),
        "parameters": parameters | {"random_state": None if seed is None else int(seed)},
        "fitted": {name: getattr(detector, name) for name in FITTED},
        "common": common is not None,
        "energies": [_outline(energy) for energy in energies],
    }
    if isinstance(detector, EnergyDetector):
        tensors |= {
            f"encoder.{name}": torch.from_numpy(np.asarray(getattr(detector.encoder_, name))) for name in ENCODER
        }
        facts |= {
            "categories": list(detector.levels_),
            "columns": detector.n_features_in_,
            "names": [str(name) for name in getattr(detector, "feature_names_in_", [])],
            "levels": {str(column): list(levels) for column, levels in detector.levels_.items()},
        }
    try:
        stored = {name: value.clone().contiguous() for name, value in tensors.items()}
        save_file(stored, path, metadata={FORMAT: json.dumps(facts)})
    except (OSError, SafetensorError) as error:
        raise UserError(f"cannot write {path}: {error}") from error


def read_detector(path: Path) -> Storable:
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
        _check(detector)
        return detector
    except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise UserError(f"{path} is damaged: {error}") from error


def _check(detector: Storable) -> None:
    """Raises an error if the parts of a detector do not belong together."""
    n = len(detector.decision_scores_)
    require(len(detector.labels_) == len(detector.p_values_) == n > 0, "its numbers of rows differ")
    contamination = detector.contamination_
    known = contamination == "auto" or (isinstance(contamination, float) and 0 < contamination <= 0.5)
    require(known and isinstance(detector.novelty_, bool), "its settings are not")
    require(isinstance(detector.threshold_, float) and detector.threshold_ > -np.inf, "its threshold is not")
    require(set(np.unique(detector.labels_)) <= {0, 1}, "its labels are not")
    require(bool(((detector.p_values_ >= 0) & (detector.p_values_ <= 1)).all()), "its p-values are not")
    require(bool(np.isfinite(detector.kept_).all() or isinstance(detector, EnergyDetector)), "its rows are not finite")
    ordered = all(bool((own.diff() >= 0).all()) for own in detector.folds_.references)
    require(ordered and len(detector.kept_) > 0, "its references are not in order")
    scores = [detector.decision_scores_, *(own.numpy() for own in detector.folds_.references)]
    folds = max(1, len(detector.folds_.own))
    if isinstance(detector, EnergyDetector):
        columns, names = detector.n_features_in_, len(getattr(detector, "feature_names_in_", []))
        require(detector.kept_.shape[1:] == (columns,) and names in (0, columns), "its columns differ")
        encoder = detector.encoder_
        require(len(encoder.mean) == len(encoder.scale) == len(encoder.owners), "its entries differ")
        energies = detector._energies(detector.kept_[:2])
    else:
        grey = PictureFeatures(torch.ones(1, WIDTH).double(), torch.ones(1, GRID**2, PATCH_WIDTH), (1, 1))
        energies = detector._energies(grey)
        require(detector.kept_.shape[1:] == detector._columns(grey).shape[1:], "its columns differ")
    require(
        all(len(part) and bool(np.isfinite(part).all()) for part in [*scores, energies]), "its energies are not finite"
    )
    require(len(energies) == len(detector.folds_.references) == folds, "its folds differ")


def _build(facts: Any, tensors: dict[str, Tensor]) -> Storable:
    kind = KINDS[facts["kind"]]
    if kind is EnergyDetector:
        detector: Storable = _of_table(facts, tensors)
    else:
        detector = PictureDetector(**facts["parameters"])
    detector.kept_, detector.decision_scores_ = tensors["kept"].numpy(), tensors["scores"].numpy()
    detector.labels_, detector.p_values_ = tensors["labels"].numpy(), tensors["p_values"].numpy()
    for name in FITTED:
        setattr(detector, name, facts["fitted"][name])
    energies = []
    for i, outline in enumerate(facts["energies"]):
        own = {name[len(f"energy{i}.") :]: value for name, value in tensors.items() if name.startswith(f"energy{i}.")}
        energy = _energy(outline, own)
        energy.load_state_dict(own)
        energies.append(energy.eval().requires_grad_(False))
    common = energies.pop(0) if facts["common"] else None
    references = [tensors[f"references{i}"] for i in range(max(1, len(energies)))]
    detector.folds_ = Folds(common, energies, references)
    return detector


def _of_table(facts: Any, tensors: dict[str, Tensor]) -> EnergyDetector:
    detector = EnergyDetector(**facts["parameters"], categories=tuple(facts["categories"]))
    detector.encoder_ = Encoder(*(tensors[f"encoder.{name}"].numpy() for name in ENCODER))
    detector.levels_ = {int(column): levels for column, levels in facts["levels"].items()}
    detector.n_features_in_ = facts["columns"]
    if facts["names"]:
        detector.feature_names_in_ = np.array(facts["names"], dtype=object)
    return detector


def _outline(energy: Energy) -> Any:
    """What an energy is made of, as JSON."""
    if isinstance(energy, Combination):
        return {"sum": [_outline(term) for term in energy.terms], "weights": list(energy.weights)}
    if isinstance(energy, Surprisal):
        return {"surprisal": _outline(energy.terms[0])}
    if isinstance(energy, Neighbours):
        return {"neighbours": energy.k}
    if isinstance(energy, Patches):
        return {"patches": energy.near.k}
    if isinstance(energy, PrincipalGaussian):
        return "gaussian"
    if isinstance(energy, Largest):
        return {"largest": [_outline(term) for term in energy.terms]}
    if isinstance(energy, Through):
        entries = energy.function
        assert isinstance(entries, Entries)
        return {"entries": [entries.first, *entries.shape], "of": _outline(energy.energy)}
    return "tails" if isinstance(energy, Tails) else "denoiser"


def _energy(outline: Any, state: dict[str, Tensor]) -> Energy:
    """An energy of this outline, whose tensors have the shapes of the state."""

    def inside(part: str) -> dict[str, Tensor]:
        return {name[len(part) :]: value for name, value in state.items() if name.startswith(part)}

    if outline == "tails":
        return Tails(torch.zeros_like(state["columns"]).T)
    if outline == "denoiser":
        return FieldNorm(ColumnDenoiser(state["field.sigma"], HIDDEN))
    if outline == "gaussian":
        return PrincipalGaussian(
            *(torch.ones_like(state[name]) for name in ("mean", "directions", "variances", "rest"))
        )
    if "entries" in outline:
        first, *shape = outline["entries"]
        return Through(Entries(first, tuple(shape)), _energy(outline["of"], inside("energy.")))
    if "patches" in outline:
        return Patches(torch.zeros_like(state["near.points"]), outline["patches"])
    if "neighbours" in outline:
        return Neighbours(torch.zeros_like(state["points"]), outline["neighbours"])
    if "surprisal" in outline:
        own = _energy(outline["surprisal"], inside("members.0."))
        return Surprisal(own, torch.zeros_like(state["references"]))
    terms = [_energy(t, inside(f"members.{i}.")) for i, t in enumerate(outline.get("largest") or outline["sum"])]
    return Largest(terms) if "largest" in outline else Combination(terms, outline["weights"])
