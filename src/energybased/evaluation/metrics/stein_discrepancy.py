"""The kernel Stein discrepancy of held-out data and of chains to the density of an energy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from energybased.energy import EnergyLike
from energybased.evaluation.row import Row
from energybased.evaluation.standardised import ROWS
from energybased.evaluation.stein import kernel_stein_discrepancy
from energybased.evaluation.subject import Subject
from energybased.evaluation.work import Work, drawing


@dataclass(frozen=True)
class SteinDiscrepancy:
    """The kernel Stein discrepancy to exp(-E) / Z, of the test split and of the ends of chains, with p-values.

    The test split shows how good the density is: it gets noise of the level that the model has learned. The ends of
    chains, before denoising, show whether the chains have reached the density. The columns are standardised.
    """

    needs: ClassVar[tuple[str, ...]] = ("energy", "ten test examples", "real numbers")

    def work(self, subject: Subject) -> Iterator[Work]:
        if subject.has("chains"):
            yield drawing(subject, ROWS)

    def measure(self, subject: Subject) -> Iterator[Row]:
        model, rng = subject.model, subject.rng()
        test = subject.data.domain.encode(subject.test[:ROWS]).to(model.place)
        noise = model.noise * torch.randn(test.shape, generator=rng, device="cpu").to(test)
        words = f"rows of the test split with noise of standard deviation {model.noise:g}"
        yield from stein_rows(subject, "ksd", model.marginal, test + noise, words)
        if subject.has("chains") and not model.classes:  # chains give every class the same weight, the energy may not
            ends = model.run_chains(model.start(ROWS, generator=rng), generator=rng).x
            yield from stein_rows(subject, "ksd_chains", model.marginal, ends, "ends of chains, not denoised")


def stein_rows(subject: Subject, metric: str, energy: EnergyLike, x: Tensor, what: str) -> Iterator[Row]:
    """The kernel Stein discrepancy of x `(n, *event)` to exp(-energy) and its p-value, as rows.

    Args:
        subject: names data and seed.
        metric: name of the value; that of the p-value has "_p" added.
        energy: the energy.
        x: samples.
        what: what x is, in words.
    """
    outcome = kernel_stein_discrepancy(energy, x, subject.rng())
    protocol = f"squared kernel Stein discrepancy, unbiased: {len(x)} {what}, under the model's energy"
    yield subject.row(metric, outcome.value, protocol, n=len(x))
    yield subject.row(f"{metric}_p", outcome.p_value, f"p-value by the wild bootstrap; {protocol}", n=len(x))
