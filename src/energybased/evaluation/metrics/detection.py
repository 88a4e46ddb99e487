"""Detection of out-of-distribution inputs by scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from energybased.evaluation.detection import OUT_OF_DISTRIBUTION, STATISTICS, base_rate, out_of_distribution_inputs
from energybased.evaluation.detectors import Score, energy_scores, neighbour_score, principal_score, seeded_score
from energybased.evaluation.mixtures import EXAMPLES, best_mixture, fitting
from energybased.evaluation.outside import MOST_SETS, outside_sets
from energybased.evaluation.row import Row
from energybased.evaluation.subject import SAMPLES, Subject
from energybased.evaluation.work import Work
from energybased.models.scores import SCORES, possible_scores

NEIGHBOURS = 10_000  # most training examples among which nearest neighbours are searched


@dataclass(frozen=True)
class OutOfDistribution:
    """Detection of changed copies of the test split: noise, inverted and mirrored pictures.

    The statistics are AUROC, average precision with either side as positives, and the false-positive rate at 95 % true
    positives. They are measured for the model's score, which is its recipe's choice; for an energy also for all others
    of `models.scores`; and for baselines: a mixture of Gaussians, principal components and nearest neighbours.
    """

    needs: ClassVar[tuple[str, ...]] = ("scores", "held-out data", "pictures")

    def work(self, subject: Subject) -> Iterator[Work]:
        yield from detecting(subject, len(OUT_OF_DISTRIBUTION))

    def measure(self, subject: Subject) -> Iterator[Row]:
        x = compared(subject)
        sets = {kind: (copies, f"changed copies ({kind})") for kind, copies in out_of_distribution_inputs(x).items()}
        yield from detection_rows(subject, x, sets)


@dataclass(frozen=True)
class OutsideSets:
    """Detection of pictures of other data sets, by the scores and statistics of `OutOfDistribution`.

    The sets are those of `outside_sets`. All scores are shown, and none is chosen by these values.
    """

    needs: ClassVar[tuple[str, ...]] = ("scores", "held-out data", "pictures")
    optional: ClassVar[bool] = True

    def work(self, subject: Subject) -> Iterator[Work]:
        yield from detecting(subject, MOST_SETS)

    def measure(self, subject: Subject) -> Iterator[Row]:
        x, rng = compared(subject), subject.rng()
        found = outside_sets(subject.data.name, x, None, rng)
        yield from detection_rows(subject, x, {name: (other[: len(x)], f"of {name}") for name, other in found})


def compared(subject: Subject) -> Tensor:
    """The test split, or a thousand of its examples for a latent model, which scores slowly."""
    return subject.some(SAMPLES) if subject.has("latent vectors") else subject.test


def detecting(subject: Subject, sets: int) -> Iterator[Work]:
    """The scores of the test split and of as many sets of about its size, and the fits of mixtures."""
    shared = [SCORES[by] for by in possible_scores(subject.model)] if subject.has("energy") else []
    each = sum(score.passes for score in shared if score.distance_of is None) or 1
    yield Work("scores", each * (1 + sets) * len(compared(subject)))
    yield from fitting(subject)


def detection_rows(subject: Subject, x: Tensor, sets: Mapping[str, tuple[Tensor, str]]) -> Iterator[Row]:
    """Rows of all scores and statistics for test examples `(n, *event)` against sets, each with a name in words."""
    for system, (score, what) in detectors(subject).items():
        inside = score(x)
        for kind, (other, words) in sets.items():
            counts = f"{len(x)} test examples against {len(other)} {words}"
            outside = score(other)
            for name, statistic in STATISTICS.items():
                protocol = f"{what}: {counts}, {base_rate(name, len(x), len(other))}"
                yield subject.row(f"{name}_{kind}", statistic(inside, outside), protocol, n=len(x), system=system)


def detectors(subject: Subject) -> dict[str, tuple[Score, str]]:
    """Scores of the subject's model and of baselines, and what they are, by the name of the system."""
    model = subject.model
    by = getattr(model, "score_by", "")
    chosen = f", the recipe's choice: {by}" if by else ""
    scores = energy_scores(model, subject.data, subject.rng(), subject.seed) if subject.has("energy") else {}
    own = scores.pop(by) if scores else seeded_score(model, subject.seed)
    found: dict[str, tuple[Score, str]] = {"": (own, f"score of the model{chosen}{subject.learned}")}
    for name, score in scores.items():
        words = "" if "noisy" in name else subject.learned
        found[f"{subject.system} ({name})"] = score, f"{name}, by the energy{words}"
    if subject.has("judge"):
        mixture, _ = best_mixture(subject)
        found["best mixture"] = mixture.energy, mixture.name
    found["principal components"] = principal_score(subject.train(EXAMPLES))
    found["nearest neighbours"] = neighbour_score(subject.train(NEIGHBOURS))
    return found


@dataclass(frozen=True)
class HeldOutClass:
    """Detection of the class that was held out of training, by the statistics of `OutOfDistribution`."""

    needs: ClassVar[tuple[str, ...]] = ("scores", "held-out class")

    def work(self, subject: Subject) -> Iterator[Work]:
        yield Work("scores", subject.test.shape[0] + subject.held_out_class.shape[0])

    def measure(self, subject: Subject) -> Iterator[Row]:
        inside, outside = subject.test, subject.held_out_class
        scores = [subject.model.score(x, generator=subject.rng()) for x in (inside, outside)]
        counts = f"{len(outside)} examples against {len(inside)} of other classes"
        for name, statistic in STATISTICS.items():
            rate = base_rate(name, len(inside), len(outside))
            protocol = f"class {subject.data.holdout} held out of training: {counts}, {rate}"
            yield subject.row(name, statistic(*scores), protocol, n=len(inside) + len(outside))
