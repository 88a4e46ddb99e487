"""Anomaly detection on pictures: `python benchmarks/picture_anomalies.py` writes results/picture_anomalies.json.

- "CIFAR-10": one class is normal. 500 training pictures of it train, and 2,000 test pictures of all classes test.
- "textures": one kind is normal, of the ten kinds in `--textures-at FOLDER`. Two thirds of its pictures train, and the
  rest and all pictures of the other kinds test.
- "pasted": as "textures", but anomalies are the rest itself, each with a square of another picture, of 8 to 19 pixels
  of 64. There the AUROC of the pixels is measured too.
- "digits": one digit of MNIST is the anomaly. 5,000 training pictures of the others train, and 3,000 test pictures of
  all digits test.

All systems see the same features of EfficientNet-Lite0. `PictureDetector` is fitted to them as in its `fit`, with
`novelty=True`. Its energies, numbers of neighbours and weights were chosen on the first five classes of CIFAR-10 and
the first five textures, pasted ones too, by these numbers; the last five classes and textures were left alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import tyro
from rows import Measured
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.svm import OneClassSVM
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from energybased.data import load_data
from energybased.data.folder import read_folder
from energybased.detectors.normal_pictures import fit_pictures
from energybased.detectors.picture_features import PictureFeatures
from energybased.energies.patches import Patches
from energybased.evaluation.extractors.lite import GRID, load_lite

DIGITS = (1, 4, 5, 7, 9)  # that are left out, as by the second paper
PASTED = (8, 20)  # sides of pasted squares, in pixels
CLASSES, CHUNK = 10, 100


class Seen(NamedTuple):
    """Features of pictures: `(n, 1280)`, and of patches `(n, 196, 152)` in half precision."""

    whole: Tensor
    patches: Tensor

    def rows(self, rows: Any) -> Seen:
        return Seen(self.whole[rows], self.patches[rows])


class Case(NamedTuple):
    """Normal pictures that train, pictures that test, and which of these are anomalies `(n,)`, with their pixels."""

    label: int
    train: Seen
    test: Seen
    anomalous: Tensor
    pixels: Tensor | None = None


def seen(x: Tensor) -> Seen:
    """The features of pictures x `(n, channels, height, width)`, bytes."""
    lite = load_lite(0)
    parts = [lite.with_patches(part.float() / 255) for part in x.split(CHUNK)]
    return Seen(torch.cat([whole for whole, _ in parts]), torch.cat([patches.half() for _, patches in parts]))


def joined(a: Seen, b: Seen) -> Seen:
    return Seen(torch.cat([a.whole, b.whole]), torch.cat([a.patches, b.patches]))


def cifar(rng: torch.Generator) -> Iterator[Case]:
    data = load_data("cifar10")
    train, test = data.train, data.test
    rows = torch.cat([(train.y == label).nonzero()[:500, 0] for label in range(CLASSES)])
    asked = torch.randperm(len(test), generator=rng)[:2000]
    own, other, y = seen(train.x[rows]), seen(test.x[asked]), test.y[asked]
    for label in range(CLASSES):
        yield Case(label, own.rows(train.y[rows] == label), other, y != label)


def digits(rng: torch.Generator) -> Iterator[Case]:
    data = load_data("mnist")
    rows, asked = (torch.randperm(len(s), generator=rng)[:n] for s, n in ((data.train, 6000), (data.test, 3000)))
    own, other = seen(data.train.x[rows]), seen(data.test.x[asked])
    for digit in DIGITS:
        normal = (data.train.y[rows] != digit).nonzero()[:5000, 0]
        yield Case(digit, own.rows(normal), other, data.test.y[asked] == digit)


def textures(folder: Path, rng: torch.Generator, paste: bool) -> Iterator[Case]:
    x, y, _, _ = read_folder(folder, None, False)
    assert y is not None
    own = seen(x)
    made, pixels = pasted(x, rng) if paste else (x, None)
    bad = seen(made) if paste else own
    for label in range(CLASSES):
        rows = (y == label).nonzero()[:, 0]
        train, rest = rows[: 2 * len(rows) // 3], rows[2 * len(rows) // 3 :]
        others = rest if paste else (y != label).nonzero()[:, 0]
        anomalous = torch.cat([torch.zeros(len(rest)), torch.ones(len(others))]).bool()
        known = None if pixels is None else torch.cat([torch.zeros_like(pixels[rest]), pixels[others]])
        yield Case(label, own.rows(train), joined(own.rows(rest), bad.rows(others)), anomalous, known)


def pasted(x: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pictures with a square of another one at the same place, and which pixels these are."""
    made, pixels = x.clone(), torch.zeros(len(x), *x.shape[2:], dtype=torch.bool)
    for i in range(len(x)):
        side, other = (int(torch.randint(low, high, (), generator=rng)) for low, high in (PASTED, (0, len(x))))
        top, left = (int(torch.randint(0, size - side, (), generator=rng)) for size in x.shape[2:])
        where = slice(top, top + side), slice(left, left + side)
        made[i][:, *where], pixels[i][where] = x[other][:, *where], True
    return made, pixels


def ours(train: Seen, test: Seen, rng: torch.Generator) -> dict[str, Any]:
    """The scores of `PictureDetector`, those of its two parts alone, and the energies of patches `(n, 196)`."""
    normal, asked = unit(train), unit(test)
    folds, _ = fit_pictures(normal.whole, normal.patches, rng)
    found: dict[str, list[Tensor]] = {"PictureDetector": [], "its whole alone": [], "its parts alone": [], "places": []}
    for part in torch.arange(len(test.whole)).split(CHUNK):
        seen, rows = asked.select(part), asked.select(part).rows()
        terms: Any = [energy.terms for energy in folds.own]  # type: ignore[attr-defined]
        found["PictureDetector"].append(folds.energies(rows).mean(0))
        for i, name in enumerate(("its whole alone", "its parts alone")):
            found[name].append(torch.stack([own[i](rows) for own in terms]).mean(0))
        local = [own[1].energy.terms[0].places(seen.patches.double()) for own in terms]
        found["places"].append(torch.stack(local).mean(0))
    return {name: torch.cat(parts) for name, parts in found.items()}


def unit(part: Seen) -> PictureFeatures:
    """As `PictureFeatures.of` has them, of unit length."""
    patches = normalize(part.patches.float(), dim=2).half()
    return PictureFeatures(normalize(part.whole, dim=1).double(), patches, (1, 1))


def memory(train: Seen, test: Seen, rng: torch.Generator) -> Tensor:
    """The largest distance of a patch to the nearest of 4,000 random ones, as PatchCore without its coreset."""
    points = train.patches.flatten(0, 1)
    points = points[torch.randperm(len(points), generator=rng)[:4000]].float()
    energy = Patches(points, 1)
    return torch.cat([energy.places(part.float()).amax(1) for part in test.patches.split(CHUNK)])


RIVALS: dict[str, Callable[[Any, Any, int], Any]] = {
    "kNN": lambda a, b, seed: NearestNeighbors(n_neighbors=5).fit(a).kneighbors(b)[0].mean(1),
    "LOF": lambda a, b, seed: -LocalOutlierFactor(novelty=True).fit(a).score_samples(b),
    "IForest": lambda a, b, seed: -IsolationForest(random_state=seed).fit(a).score_samples(b),
    "OCSVM": lambda a, b, seed: -OneClassSVM().fit(a).score_samples(b),
}


def main(
    textures_at: Path | None = None,
    cases: tuple[str, ...] = ("pasted", "textures", "CIFAR-10", "digits"),
    seed: int = 0,
) -> None:
    """Measures.

    Args:
        textures_at: a folder with ten folders of textures; those cases are left out if not given.
    """
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    made: dict[str, Callable[[torch.Generator], Iterator[Case]]] = {"CIFAR-10": cifar, "digits": digits}
    if textures_at is not None:
        made |= {
            "textures": lambda rng: textures(textures_at, rng, False),
            "pasted": lambda rng: textures(textures_at, rng, True),
        }
    command = f"python benchmarks/picture_anomalies.py{' --textures-at FOLDER' if textures_at else ''}"
    for name in (name for name in cases if name in made):
        found = Measured("picture_anomalies", [seed], command)
        for case in made[name](torch.Generator().manual_seed(seed)):
            rng, began = torch.Generator().manual_seed(seed), time.monotonic()
            scores = ours(case.train, case.test, rng)
            places, seconds = scores.pop("places"), {"PictureDetector": time.monotonic() - began}
            scores["patches, as PatchCore"] = memory(case.train, case.test, rng)
            for rival, make in RIVALS.items():
                began = time.monotonic()
                scores[rival] = make(case.train.whole.numpy(), case.test.whole.numpy(), seed)
                seconds[rival] = time.monotonic() - began
            told = f"{len(case.train.whole)} normal pictures train, {len(case.test.whole)} test"
            for system, values in scores.items():
                fields = {"data": name, "system": system, "label": case.label}
                for metric, measure in (("auroc", roc_auc_score), ("auprc", average_precision_score)):
                    value = float(measure(case.anomalous.numpy(), np.asarray(values)))
                    found.add(value, told, seconds.get(system, 0.0), **fields, metric=metric)
            if case.pixels is not None:
                side = case.pixels.shape[-1]
                maps = interpolate(places.view(-1, 1, GRID, GRID), (side, side), mode="bilinear")[:, 0]
                value = float(roc_auc_score(case.pixels.flatten().numpy(), maps.flatten().numpy()))
                fields = {"data": name, "system": "PictureDetector", "label": case.label, "metric": "auroc of pixels"}
                found.add(value, told, 0.0, **fields)
        found.write()


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
