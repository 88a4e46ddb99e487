"""Mean ranks of detectors: `python benchmarks/ranks.py` draws results/detect-ranks.png from results/detect.json.

Detectors whose mean ranks are less apart than the critical difference do not differ at p < 0.05 by Nemenyi's test
(Demšar 2006); a line joins them.
"""

from __future__ import annotations

import matplotlib
import numpy as np
from rows import RESULTS, Rows
from scipy.stats import rankdata, studentized_range

matplotlib.use("agg")
KINDS = ("semi-supervised", "unsupervised")


def main() -> None:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(len(KINDS), 1, figsize=(8, 6), layout="constrained")
    for axis, kind in zip(axes, KINDS, strict=True):
        rows = Rows.read("detect").all(variant="clean", kind=kind, metric="auroc")
        tables = sorted(set.intersection(*(set(r["tables"]) for r in rows)))
        scores = np.array([[r["tables"][t] for t in tables] for r in rows])
        ranks = rankdata(-scores, axis=0).mean(1)
        count, order = len(rows), np.argsort(ranks)
        quantile = float(studentized_range.ppf(0.95, count, np.inf)) / np.sqrt(2)
        critical = quantile * np.sqrt(count * (count + 1) / (6 * len(tables)))
        for height, place in enumerate(order):
            axis.plot([0.8, ranks[place]], [-height, -height], color="0.85", zorder=0)
            axis.plot(ranks[place], -height, "o", color="C0")
            axis.text(0.75, -height, rows[place]["system"], ha="right", va="center")
        last = -1
        for first, place in enumerate(order):
            near = [i for i in range(first, count) if ranks[order[i]] - ranks[place] <= critical]
            if near[-1] > max(last, first):
                level = -near[-1] - 0.25
                axis.plot([ranks[place], ranks[order[near[-1]]]], [level, level], color="0.3", linewidth=3)
                last = near[-1]
        axis.set(xlim=(0.8, count), yticks=[], xlabel=f"mean rank of the AUROC, {len(tables)} tables, {kind}")
        axis.set_title(f"critical difference {critical:.2f}", fontsize=10)
        axis.spines[["left", "top", "right"]].set_visible(False)
    figure.savefig(RESULTS / "detect-ranks.png", dpi=90)


if __name__ == "__main__":
    main()
