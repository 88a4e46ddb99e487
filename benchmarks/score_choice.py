"""Which score a recipe should have: `python benchmarks/score_choice.py RUN ...` writes results/score_choice.json.

Every score that the energy can give is measured by its AUROC on flipped and on inverted pictures of the validation
split, against that split. The best has the largest mean of both. Several runs of a recipe are its seeds.
"""

from __future__ import annotations

import statistics
import sys
import time

from rows import Measured, trained

from energybased.errors import require
from energybased.evaluation.detection import auroc, out_of_distribution_inputs
from energybased.evaluation.detectors import seeded_score
from energybased.models.scores import possible_scores, with_score
from energybased.runs.evaluate import subject_of
from energybased.runs.load import run_of

KINDS = ("flipped", "inverted")


def main(paths: list[str]) -> None:
    runs = [run_of(path) for path in paths]
    recipe = runs[0].recipe["recipe"]
    command = f"{', '.join(map(trained, runs))}, python benchmarks/score_choice.py {' '.join(['RUN'] * len(runs))}"
    found = Measured("score_choice", [run.recipe["settings"]["seed"] for run in runs], command)
    means: dict[str, list[float]] = {}
    for run in runs:
        subject = subject_of(run)
        data, x = subject.data, subject.data.values(subject.data.validation)
        require(len(x) > 0, f"{run.path} has no validation split, on which a score is chosen")
        changed = out_of_distribution_inputs(x)
        for by in possible_scores(subject.model):
            began = time.monotonic()
            score = seeded_score(with_score(subject.model, by, data, subject.rng()), subject.seed)
            inside, values = score(x), list[float]()
            for kind in KINDS:
                values.append(auroc(inside, score(changed[kind])))
                protocol = f"{len(x)} validation pictures against changed copies ({kind})"
                fields = {"data": data.name, "system": recipe, "split": "validation", "score": by}
                found.add(values[-1], protocol, time.monotonic() - began, **fields, metric=f"auroc_{kind}")
            means.setdefault(by, []).append(statistics.fmean(values))
    best = max(means, key=lambda by: statistics.fmean(means[by]))
    print(f"{recipe}: the best score is {best!r}, mean AUROC {statistics.fmean(means[best]):.4f}")
    found.write()


if __name__ == "__main__":
    main(sys.argv[1:])
