"""Whether reasons name the column that was changed: `python benchmarks/reasons.py` writes results/reasons.json.

`EnergyDetector` is trained on normal rows of ten tables of ADBench (the clean protocol of `detect.py`). In each of 200
normal test rows, one random column that is not constant moves by 3 standard deviations, up or down. Of the rows whose
p-value is then below 0.05, the share is counted of which the column is the first reason, or one of the first two.
"""

from __future__ import annotations

import numpy as np
import torch
import tyro
from detect import clean
from rows import Measured

from energybased import EnergyDetector
from energybased.data.adbench import NAMES, adbench, source

ROWS, MOVED, LEVEL, TABLES = 200, 3.0, 0.05, 10


def main(seed: int = 0, data_root: str | None = None, tables: tuple[str, ...] = ()) -> None:
    """Measures on the last ten tables in alphabetical order, on which nothing was chosen, if none are named."""
    torch.set_num_threads(1)
    found = Measured("reasons", [seed])
    files = sorted(NAMES, key=NAMES.__getitem__)
    for name in tables or [name for name in files if source(name).find(data_root)][-TABLES:]:
        rng = np.random.default_rng(seed)
        train, test, y = clean(*adbench(name, data_root), rng, True)
        detector = EnergyDetector(novelty=True, random_state=seed).fit(train)
        rows = rng.permutation(test[y == 0])[:ROWS].copy()
        deviation = train.std(0)
        columns = rng.choice(np.flatnonzero(deviation > 0), len(rows))
        rows[np.arange(len(rows)), columns] += MOVED * deviation[columns] * rng.choice([-1, 1], len(rows))
        odd = np.flatnonzero(detector.p_values(rows) < LEVEL)
        named = [[int(reason.column) for reason in said] for said in detector.explain(rows[odd], 2)] if len(odd) else []
        for metric, count in (("first", 1), ("first two", 2)):
            hits = [columns[i] in said[:count] for i, said in zip(odd, named, strict=True)]
            protocol = f"of {len(odd)} rows with p < {LEVEL}, of {len(rows)}; {train.shape[1]} columns"
            if hits:
                found.add(float(np.mean(hits)), protocol, 0.0, data=name, system="EnergyDetector", metric=metric)
    found.write()


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
