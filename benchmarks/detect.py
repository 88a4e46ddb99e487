"""Anomaly detection on the tables of ADBench: `python benchmarks/detect.py` writes results/detect.json.

Two protocols, each trained on normal rows ("semi-supervised") or on rows with anomalies ("unsupervised"):

- "published" is that of DTE (Livernoche et al. 2024). Tables of under 1,000 rows are drawn with replacement to 1,000,
  so copies of a row are on both sides; those above 50,000 are cut to as many. Semi-supervised, the first half of the
  normal rows trains, and all others test. Unsupervised, a bootstrap of all rows trains, and all rows test.
- "clean" has no row twice. Shuffled halves of normal rows and of anomalies train and test, of which at most 10,000
  train. Semi-supervised, anomalies of the training half are test rows too.

Detectors have their defaults, on columns standardised by the training rows; `EnergyDetector` is told `novelty` alone.
Its settings were chosen on the first eleven tables in alphabetical order, by the AUROC and AUPRC of two seeds.
Infinite scores, which PCA of PyOD has, count as very large. Each measured cell is kept in runs/detect.jsonl, so that
the queue goes on where it stopped.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from rows import Measured
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from energybased import EnergyDetector
from energybased.data.adbench import NAMES, adbench, source
from energybased.detectors.detector import RATE
from energybased.detectors.p_values import discoveries

CELLS = Path("runs/detect.jsonl")
SMALL, LARGE, TRAINED, TESTED = 1000, 50_000, 10_000, 10_000
HUGE = float(np.finfo(np.float64).max)
ANOMALIES = 0.05  # share of the rows among which discoveries are made
METRICS = ("auroc", "auprc", "seconds", "prevalence", "below", "false_discoveries", "found")
PROTOCOLS = ("clean", "published")
KINDS = ("semi-supervised", "unsupervised")
Array = NDArray[Any]
Split = tuple[Array, Array, Array]  # rows that train, rows that test, and their labels


def published(x: Array, y: Array, rng: np.random.Generator, normal: bool) -> Split:
    if len(x) < SMALL or len(x) > LARGE:
        rows = rng.choice(len(x), SMALL, replace=True) if len(x) < SMALL else rng.choice(len(x), LARGE, replace=False)
        x, y = x[rows], y[rows]
    if not normal:
        return x[rng.choice(len(x), len(x), replace=True)], x, y
    rows = np.flatnonzero(y == 0)
    half = round(len(rows) / 2)
    tested = np.concatenate([rows[half:], np.flatnonzero(y == 1)])
    return x[rows[:half]], x[tested], y[tested]


def clean(x: Array, y: Array, rng: np.random.Generator, normal: bool) -> Split:
    first = np.unique(np.column_stack([x, y]), axis=0, return_index=True)[1]
    first = rng.permutation(first)
    x, y = x[first], y[first]
    train = np.zeros(len(x), dtype=bool)
    for label in (0, 1):
        rows = np.flatnonzero(y == label)
        train[rows[: len(rows) // 2]] = True
    if normal:
        train &= y == 0
    rows = rng.permutation(np.flatnonzero(train))[:TRAINED]
    tested = np.flatnonzero(~train)
    if len(tested) > 2 * TESTED:
        kept = [rng.permutation(tested[y[tested] == label])[:TESTED] for label in (0, 1)]
        tested = np.concatenate(kept)
    return x[rows], x[tested], y[tested]


def pyod(name: str, **settings: Any) -> Callable[[bool, int], Any]:
    module, kind = name.rsplit(".", 1)
    return lambda normal, seed: getattr(import_module(f"pyod.models.{module}"), kind)(**settings)


def seeded(name: str) -> Callable[[bool, int], Any]:
    return lambda normal, seed: pyod(name, random_state=seed)(normal, seed)


DETECTORS: dict[str, Callable[[bool, int], Any]] = {
    "EnergyDetector": lambda normal, seed: EnergyDetector(novelty=normal, random_state=seed),
    "kNN": pyod("knn.KNN"),
    "LOF": pyod("lof.LOF"),
    "IForest": seeded("iforest.IForest"),
    "ECOD": pyod("ecod.ECOD"),
    "COPOD": pyod("copod.COPOD"),
    "PCA": seeded("pca.PCA"),
    "HBOS": pyod("hbos.HBOS"),
    "OCSVM": pyod("ocsvm.OCSVM"),
    "DeepSVDD": lambda normal, seed: pyod("deep_svdd.DeepSVDD", n_features=None, random_state=seed)(normal, seed),
    "AE": seeded("auto_encoder.AutoEncoder"),
    "DIF": seeded("dif.DIF"),
    "LUNAR": pyod("lunar.LUNAR"),
}
CHEAP = ("EnergyDetector", "kNN", "LOF", "IForest", "ECOD", "COPOD", "PCA", "HBOS")


def main(
    protocols: tuple[str, ...] = PROTOCOLS,
    kinds: tuple[str, ...] = KINDS,
    detectors: tuple[str, ...] = CHEAP,
    tables: tuple[str, ...] = (),
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4),
    data_root: str | None = None,
) -> None:
    """Measures what has not been measured, and writes the means over seeds.

    Args:
        tables: names of tables; all whose files are there if not given.
    """
    torch.set_num_threads(1)
    CELLS.parent.mkdir(exist_ok=True)
    known = [json.loads(line) for line in CELLS.read_text().splitlines()] if CELLS.exists() else []
    cells = {tuple(cell["key"]): cell for cell in known}
    names = tables or tuple(name for name in sorted(NAMES, key=NAMES.__getitem__) if source(name).find(data_root))
    for seed, protocol, kind, name in product(seeds, protocols, kinds, names):
        missing = [d for d in detectors if (name, protocol, kind, d, seed) not in cells]
        if not missing:
            continue
        cut = {"clean": clean, "published": published}[protocol]
        train, test, y = cut(*adbench(name, data_root), np.random.default_rng(seed), kind == KINDS[0])
        scale = StandardScaler().fit(train)
        for detector in missing:
            made, began = DETECTORS[detector](kind == KINDS[0], seed), time.monotonic()
            if detector == "DeepSVDD":
                made.n_features = train.shape[1]
            own = detector == "EnergyDetector"
            rows, asked = (train, test) if own else (scale.transform(train), scale.transform(test))
            scores = np.clip(made.fit(rows).decision_function(asked), -HUGE, HUGE)  # a NaN stays, and is refused
            cell = {
                "key": [name, protocol, kind, detector, seed],
                "auroc": float(roc_auc_score(y, scores)),
                "auprc": float(average_precision_score(y, scores)),
                "seconds": time.monotonic() - began,
                "prevalence": float(y.mean()),
                "rows": [len(train), len(test)],
            }
            if own:
                p = made.p_values(test)
                cell |= {"below": float((p[y == 0] < 0.1).mean()), **verdicts(p, y, np.random.default_rng(seed))}
            cells[tuple(cell["key"])] = cell
            with CELLS.open("a") as file:
                file.write(json.dumps(cell) + "\n")
            print(*cell["key"], f"{cell['auroc']:.4f} {cell['auprc']:.4f} {cell['seconds']:.1f} s", flush=True)
    write(list(cells.values()))


def verdicts(p: Array, y: Array, rng: np.random.Generator) -> dict[str, float]:
    """The false discoveries at a rate of 0.1 among rows of which 5 % are anomalies, and the share of these found."""
    normal, anomalies = np.flatnonzero(y == 0), rng.permutation(np.flatnonzero(y == 1))
    rows = np.concatenate([normal, anomalies[: max(1, round(len(normal) * ANOMALIES / (1 - ANOMALIES)))]])
    found = discoveries(p[rows], RATE)
    false = float((found & (y[rows] == 0)).sum() / max(1, found.sum()))
    return {"false_discoveries": false, "found": float(found[y[rows] == 1].mean())}


def write(cells: list[dict[str, Any]]) -> None:
    """Writes a row for each detector, protocol, kind and metric: its mean over tables, of each seed.

    The item `tables` of a row has the means of its tables over seeds. A seed counts if it has all tables.
    """
    found, held = Measured("detect", []), defaultdict[tuple[str, ...], dict[int, dict[str, dict[str, Any]]]](dict)
    for cell in cells:
        name, protocol, kind, detector, seed = cell["key"]
        held[protocol, kind, detector].setdefault(seed, {})[name] = cell
    for (protocol, kind, detector), by_seed in sorted(held.items()):
        most = max(map(len, by_seed.values()))
        whole = {seed: by_name for seed, by_name in sorted(by_seed.items()) if len(by_name) == most}
        names = sorted(next(iter(whole.values())), key=NAMES.__getitem__)
        for metric in METRICS:
            values = {name: [by_name[name].get(metric) for by_name in whole.values()] for name in names}
            if any(None in own for own in values.values()):
                continue
            tables = {name: round(float(np.mean(own)), 4) for name, own in values.items()}
            fields = {"system": detector, "variant": protocol, "kind": kind, "metric": metric}
            more: dict[str, Any] = {"tables": tables}
            if metric == "below":
                more["exact"] = {name: exact([by_name[name] for by_name in whole.values()]) for name in names}
                more["references"] = {name: min(by[name]["rows"][0] for by in whole.values()) for name in names}
            for i, (seed, by_name) in enumerate(whole.items()):
                seconds = sum(cell["seconds"] for cell in by_name.values()) if metric == "auroc" else 0.0
                mean = float(np.mean([own[i] for own in values.values()]))
                found.add(mean, f"mean over {most} tables", seconds, more, seed=seed, **fields)
    found.write()


def exact(cells: list[dict[str, Any]]) -> tuple[float, float]:
    """The mean share of new normal rows with p < 0.1 if p-values are exact, and its standard error.

    A p-value takes the values k / (n + 1) with n reference rows, all with the same probability. The share varies by the
    test rows and by the references, as if seeds were independent.
    """
    shares, variances = [], []
    for cell in cells:
        references, tested = cell["rows"]
        share = (np.ceil(RATE * (references + 1)) - 1) / (references + 1)
        normal = tested * (1 - cell["prevalence"])
        shares.append(share)
        variances.append(share * (1 - share) * (1 / normal + 1 / (references + 2)))
    return round(float(np.mean(shares)), 4), round(float(np.sqrt(np.sum(variances)) / len(cells)), 4)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
