"""How far the energies of training and of held-out examples are apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from energybased.errors import require
from energybased.evaluation.detection import auroc
from energybased.evaluation.row import Row
from energybased.evaluation.subject import MORE_SAMPLES, SAMPLES, Subject
from energybased.evaluation.work import Work


@dataclass(frozen=True)
class EnergyHistograms:
    """Wasserstein-1 distance and AUROC between the energies of training and of test examples (Du & Mordatch 2019).

    A model that has memorised its training data gives test examples higher energies: the AUROC is above 0.5. The same
    is measured between two disjoint parts of the training split, as the floor.
    """

    needs: ClassVar[tuple[str, ...]] = ("energies", "scores", "held-out data")

    def work(self, subject: Subject) -> Iterator[Work]:
        yield Work("scores", 3 * min(MORE_SAMPLES, len(subject.test)))

    def measure(self, subject: Subject) -> Iterator[Row]:
        data, most = subject.data, SAMPLES if subject.has("latent vectors") else MORE_SAMPLES
        n = min(most, len(subject.test), len(data.train) // 2)
        require(n >= 1, "energy histograms need two training examples")
        order = torch.randperm(len(data.train), generator=subject.rng())
        parts = [data.values(data.train, order[start : start + n]) for start in (0, n)]
        test = subject.test[torch.randperm(len(subject.test), generator=subject.rng())[:n]]
        train, other, held = (self.energies(subject, x) for x in (*parts, test))
        for system, energies, words in (("", held, "test examples"), ("floor", other, "further training examples")):
            protocol = f"of the energies of {n} training examples and {n} {words}{subject.learned}"
            distance = wasserstein(train, energies)
            yield subject.row("energy_w1", distance, f"Wasserstein-1 distance {protocol}, nats", n=n, system=system)
            area = auroc(train, energies)
            yield subject.row("energy_auroc", area, f"AUROC {protocol}; 0.5 if they are alike", n=n, system=system)

    def energies(self, subject: Subject, x: Tensor) -> Tensor:
        """Energies `(n,)` of x `(n, *event)`: of a latent model, those of its score."""
        model = subject.model
        found: Tensor = model.energies(x) if subject.has("energy") else model.score(x, generator=subject.rng())
        return found.double().cpu()


def wasserstein(a: Tensor, b: Tensor) -> float:
    """The Wasserstein-1 distance of two samples of real numbers, `(n,)` and `(m,)`: the mean gap of their quantiles."""
    from scipy.stats import wasserstein_distance

    return float(wasserstein_distance(a.numpy(), b.numpy()))
