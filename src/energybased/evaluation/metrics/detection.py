"""Detection of out-of-distribution inputs by scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from energybased.evaluation.detection import auprc, auroc, out_of_distribution_inputs
from energybased.evaluation.mixtures import best_mixture
from energybased.evaluation.row import Row
from energybased.evaluation.subject import SAMPLES, Subject


@dataclass(frozen=True)
class OutOfDistribution:
    """AUROC of the score for the test split against changed copies: noise, inverted and mirrored pictures."""

    needs: ClassVar[tuple[str, ...]] = ("scores", "held-out data", "pictures")

    def measure(self, subject: Subject) -> Iterator[Row]:
        slow = subject.has("latent vectors")
        x = subject.test[:SAMPLES] if slow else subject.test
        scorers = [("", lambda x: subject.model.score(x, generator=subject.rng()))]
        if subject.has("judge"):
            scorers.append(("best mixture", best_mixture(subject)[0].energy))
        for system, score in scorers:
            inside = score(x)
            for kind, changed in out_of_distribution_inputs(x).items():
                protocol = f"{len(x)} test examples against {len(changed)} changed copies ({kind}), prevalence 0.50"
                yield subject.row(f"auroc_{kind}", auroc(inside, score(changed)), protocol, n=len(x), system=system)


@dataclass(frozen=True)
class HeldOutClass:
    """Average precision of the score in detecting the class that was held out of training."""

    needs: ClassVar[tuple[str, ...]] = ("scores", "held-out class")

    def measure(self, subject: Subject) -> Iterator[Row]:
        inside, outside = subject.test, subject.held_out_class
        scores = (subject.model.score(x, generator=subject.rng()) for x in (inside, outside))
        prevalence = len(outside) / (len(inside) + len(outside))
        label = f"class {subject.data.holdout}"
        counts = f"{len(outside)} examples against {len(inside)} of other classes"
        protocol = f"{label} held out of training: {counts}, prevalence {prevalence:.3f}"
        yield subject.row("auprc", auprc(*scores), protocol, n=len(inside) + len(outside))
