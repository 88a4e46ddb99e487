"""Tests of a prior against the aggregate posterior."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch

from energybased.energy import Energy
from energybased.evaluation.metrics.stein_discrepancy import stein_rows
from energybased.evaluation.metrics.two_sample_tests import TESTS, two_sample_rows
from energybased.evaluation.row import Row
from energybased.evaluation.standardised import ROWS
from energybased.evaluation.subject import Subject
from energybased.evaluation.work import Work


@dataclass(frozen=True)
class PriorFit:
    """How the prior of a latent model differs from the aggregate posterior of the test split, by three tests.

    The aggregate posterior is the density of z, where x is drawn from the data and z from p(z | x). For a perfect model
    it is the prior. Samples of the prior and of its base are compared with one posterior sample of each test example,
    in entries standardised by these. The kernel Stein discrepancy is that of posterior samples to the prior's energy.
    """

    needs: ClassVar[tuple[str, ...]] = ("latent vectors", "ten test examples")

    def work(self, subject: Subject) -> Iterator[Work]:
        yield Work("posteriors", min(ROWS, len(subject.test)))
        yield Work("samples", min(ROWS, len(subject.test)))

    def measure(self, subject: Subject) -> Iterator[Row]:
        model, rng = subject.model, subject.rng()
        posterior = model.sample_posterior(subject.some(ROWS), generator=rng)
        mean, spread = posterior.mean(0), posterior.std(0)
        spread = torch.where(spread > 0, spread, 1.0)
        samples = {"": model.sample_prior(len(posterior), generator=rng)}
        if model.prior is not model.base:
            samples["base of the prior"] = model.base.sample(len(posterior), rng).to(posterior)
        what = "posterior samples of test examples"
        for system, z in samples.items():
            for test in TESTS:
                x, y = (z - mean) / spread, (posterior - mean) / spread
                yield from two_sample_rows(subject, test, f"prior_{test}", x, y, what, system)
        if isinstance(model.prior, Energy):
            yield from stein_rows(subject, "prior_ksd", model.prior, posterior, what)
