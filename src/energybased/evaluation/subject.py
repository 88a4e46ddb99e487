"""The subject of an evaluation: a trained model with its data, and a judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Generator, Tensor

from energybased.data import DataSet
from energybased.data.domain import View
from energybased.data.holdout import split_holdout
from energybased.evaluation.extractors.lite import EXTRA, lite_installed
from energybased.evaluation.restoration import EXTRA as RESTORE_EXTRA
from energybased.evaluation.restoration import WINDOW, skimage_installed
from energybased.evaluation.row import Row
from energybased.models import Judge

Kept = TypeVar("Kept")
SAMPLES, MORE_SAMPLES = 1000, 5000  # the latter if the test split has at least as many examples


@dataclass(frozen=True)
class Subject:
    """The model to measure, its data, and results that several metrics share.

    Args:
        model: any `Model`. Metrics name in `needs` what they require beyond the protocol.
        data: the data of the run.
        judge: the classifier in whose features samples and data are compared; None if there is none.
        seed: seed of the training, and of all random numbers of the evaluation.
        system: name of the model in rows.
        buffer: settings and state of the replay buffer, whose chains are `(capacity, *event)`; None if there is none.
        history: models with the weights that the run kept of the last hundredths of its training, the oldest first.
        pictures: pictures `(n, *event)` that were drawn for a metric, by its name, for others to show.
        kept: results that one metric has computed and others need, by name; see `once`.
        inception: file of the weights of the Inception network; found or downloaded if None.
    """

    model: Any
    data: DataSet
    judge: Judge | None = None
    seed: int = 0
    system: str = "model"
    buffer: tuple[Any, dict[str, Tensor]] | None = None
    history: Sequence[Any] = ()
    pictures: dict[str, Tensor] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    inception: Path | None = None

    def missing(self, needs: tuple[str, ...]) -> list[str]:
        """The needs that this subject does not meet."""
        return [need for need in needs if not self.has(need)]

    def has(self, need: str) -> bool:
        """Whether this subject meets a need of a metric or of a section of a report."""
        if need in CHECKS:
            return CHECKS[need](self)
        return need in self.model.offers

    def once(self, name: str, make: Callable[[], Kept]) -> Kept:
        """The result of a function, which is called once; metrics that need the same result give the same name."""
        if name not in self.kept:
            self.kept[name] = make()
        found: Kept = self.kept[name]
        return found

    def rng(self) -> Generator:
        """A generator with the subject's seed."""
        return torch.Generator().manual_seed(self.seed)

    @property
    def view(self) -> View:
        """How examples are drawn: "pictures", "points", "curves" or "rows"."""
        return self.data.domain.view(self.data.event)

    @cached_property
    def test(self) -> Tensor:
        """The test split `(n, *event)` in the user's units, without the class that was held out of training, if any."""
        data = self.data if self.data.holdout is None else split_holdout(self.data)[0]
        return data.values(data.test)

    @cached_property
    def held_out_class(self) -> Tensor:
        """The examples `(n, *event)` of the class that was held out of training."""
        return split_holdout(self.data)[1]

    @property
    def count(self) -> int:
        """Number of samples that metrics draw."""
        return MORE_SAMPLES if len(self.test) >= MORE_SAMPLES else SAMPLES

    @cached_property
    def samples(self) -> Tensor:
        """`count` samples of the model, `(count, *event)`."""
        return self.model.sample(self.count, generator=self.rng())

    @property
    def learned(self) -> str:
        """Words for a protocol: that x has no noise, while the model has learned some. Empty if it has learned none."""
        noise = getattr(self.model, "noise", 0.0)
        return f", x without noise (the model has learned noise of {noise:g})" if noise else ""

    def some(self, n: int) -> Tensor:
        """At most n random test examples, the same at every call; a published split may be sorted by difficulty."""
        return self.test[torch.randperm(len(self.test), generator=torch.Generator().manual_seed(0))[:n]]

    def part(self, n: int) -> Subject:
        """The subject with at most n random examples of its test split."""
        return replace(self, data=replace(self.data, test=self.data.test.some(n)))

    def train(self, n: int) -> Tensor:
        """The first n training examples, `(n, *event)`, in the user's units."""
        return self.data.values(self.data.train, slice(n))

    def row(
        self, metric: str, value: float, protocol: str, *, n: int = 0, split: str = "test", system: str = ""
    ) -> Row:
        """A row for this subject. `evaluate` adds `seconds` and `measured_by`."""
        return Row(self.data.name, system or self.system, metric, float(value), split, n, protocol, self.seed)


LITE = {number: f"the extra for EfficientNet-Lite{number} ({EXTRA})" for number in (0, 1)}
RESTORE = f"the extra for restored pictures ({RESTORE_EXTRA})"
LARGE = "pictures of at least 7 x 7 pixels"  # which structural similarity needs
IN_WORDS = {  # needs that a person may not know by their names
    "judge": "a judge of this data set (--judge RUN)",
    "classes": "classes (an energy that is conditional on labels)",
    "class logits": "classes (a model that is conditional on labels, or a judge)",
    "latent vectors": "latent vectors (a run of a latent recipe)",
}

CHECKS: Mapping[str, Callable[[Subject], bool]] = {
    "held-out data": lambda s: len(s.data.test) > 0,
    "labels": lambda s: s.data.classes > 0,
    "classes": lambda s: s.model.classes > 0,
    "pictures": lambda s: s.view == "pictures",
    "real numbers": lambda s: s.data.domain.bounds is None,
    "replay buffer": lambda s: s.buffer is not None,
    "judge": lambda s: s.judge is not None,
    RESTORE: lambda s: skimage_installed(),
    LARGE: lambda s: s.view == "pictures" and min(s.data.event[1:]) >= WINDOW,
    "restoration": lambda s: hasattr(s.model, "restore") and bool({"chains", "latent vectors"} & s.model.offers),
    "held-out class": lambda s: s.data.holdout is not None,
    "ten test examples": lambda s: len(s.test) >= 10,
    "energies": lambda s: bool({"energy", "latent vectors"} & s.model.offers),
    "validation data": lambda s: len(s.data.validation) > 0,
    LITE[0]: lambda s: lite_installed(0),
    LITE[1]: lambda s: lite_installed(1),
}
