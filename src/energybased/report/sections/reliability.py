"""How often a model that classifies is right, at each confidence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor

from energybased.evaluation.calibration import class_logits, reliability
from energybased.report.charts import curves
from energybased.report.page import note
from energybased.report.section import Contents

EXAMPLES = 2000  # most test examples


class Reliability:
    """The reliability curve of p(y | x), if its calibration was measured, with and without the temperature."""

    title: ClassVar[str] = "Confidence and accuracy"
    needs: ClassVar[tuple[str, ...]] = ("class logits", "labels", "held-out data")

    def bodies(self, contents: Contents) -> Iterator[str]:
        subject = contents.subject
        temperatures = [row.value for row in contents.rows if row.metric == "temperature"]
        if not temperatures:
            return
        test = subject.data.test
        rows = torch.randperm(len(test), generator=torch.Generator().manual_seed(0), device="cpu")[:EXAMPLES]
        y = test.take(rows).y
        assert isinstance(y, Tensor)
        logits = class_logits(subject.model, subject.data.values(test, rows)).double().cpu()
        lines = {"as often as it says": ([0.0, 1.0], [0.0, 1.0])}
        for name, t in {"p(y | x)": 1.0, f"temperature {temperatures[0]:.3g}": temperatures[0]}.items():
            found = reliability((logits / t).softmax(1), y.cpu())
            some = found.counts > 0
            lines[name] = found.confidence[some].tolist(), found.accuracy[some].tolist()
        yield curves(lines, "probability of the most probable class", "fraction that is right")
        yield note(
            f"On {len(rows)} test examples, in 15 bins. Below the straight line, the model is too sure of itself."
        )
