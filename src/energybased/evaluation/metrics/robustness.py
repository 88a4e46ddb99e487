"""The accuracy of a classifier under attack."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor

from energybased.errors import require
from energybased.evaluation.finite import require_finite
from energybased.evaluation.interval import binomial_interval
from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject
from energybased.evaluation.work import Work
from energybased.tasks.attack import PGD, Attack, Ball, Logits, RandomSearch, margins
from energybased.tasks.classify import Refinement, log_probabilities

PART = 32  # examples at a time, since a gradient through chains holds the graphs of all transitions of all copies


@dataclass(frozen=True)
class Robustness:
    """Fraction of the test split that is classified rightly under every attack within a distance epsilon.

    The logits are attacked on the whole test split: by PGD, by PGD on the judge (a transfer attack), and by a random
    search without gradients. The latter two take the examples that are left. On a fixed part of the split, the
    sampler of the model refines an example before it is classified, and the whole of it is attacked: by PGD on the
    logits and on the judge, by PGD over random draws, whose gradients bypass the chains, pass through them, or are
    those of chains of a single transition, which have less noise, and by a random search. Pixels are in [0, 1]. The
    network computes in float32, so that rounding hides no gradient. Classes are decided after
    the attack, with new random numbers.

    Args:
        linf: epsilons for the largest change of a pixel.
        l2: epsilons for the Euclidean length of the change.
        steps: gradient steps of an attack on the logits.
        restarts: its random starts.
        transfer_steps: gradient steps on the judge.
        queries: queries of the random search.
        part: number of examples on which the sampler is attacked.
        refinement: how the sampler refines an example.
        sampler_steps: gradient steps of an attack on the sampler.
        draws: evaluations of the sampler, each with all copies, in each of these steps.
        sampler_queries: queries of the random search on the sampler, for examples that withstand all other attacks.

    Raises:
        UserError: for settings out of range.
    """

    needs: ClassVar[tuple[str, ...]] = ("class logits", "pictures", "held-out data", "labels")
    optional: ClassVar[bool] = True

    linf: tuple[float, ...] = (0.1, 0.2, 0.3)
    l2: tuple[float, ...] = (1.0, 2.0, 3.0)
    steps: int = 40
    restarts: int = 2
    transfer_steps: int = 10
    queries: int = 300
    part: int = 256
    refinement: Refinement = Refinement(steps=10, copies=4)
    sampler_steps: int = 20
    draws: int = 2
    sampler_queries: int = 100

    def __post_init__(self) -> None:
        require(len(self.linf) + len(self.l2) > 0, "an attack needs an epsilon")
        require(self.part >= 1, f"part must be at least 1, got {self.part}")
        for ball in self.balls(None):
            PGD(ball, self.steps, self.restarts), PGD(ball, self.sampler_steps, 1, self.draws)
            PGD(ball, self.transfer_steps, 1)
            RandomSearch(ball, self.queries)
            RandomSearch(ball, self.sampler_queries, self.draws)

    def balls(self, bounds: tuple[float, float] | None) -> list[Ball]:
        """The allowed changes, in order."""
        return [Ball("linf", epsilon, bounds) for epsilon in self.linf] + [Ball("l2", e, bounds) for e in self.l2]

    def work(self, subject: Subject) -> Iterator[Work]:
        n, balls = len(subject.test), len(self.linf) + len(self.l2)
        copies = self.part * self.refinement.copies * (3 * self.refinement.steps + 1)
        refined = copies * self.draws * (self.sampler_steps + 2 * self.sampler_queries / 3)  # a query has no gradient
        yield Work("gradients", balls * n * (self.steps * self.restarts + self.queries / 3))  # a query has no gradient
        if subject.has("chains"):
            yield Work("summed chains", balls * min(1.0, n / self.part) * refined)

    def measure(self, subject: Subject) -> Iterator[Row]:
        model: Any = subject.model.to(dtype=torch.float32)
        test, x = subject.data.test.take(), subject.data.values(subject.data.test)
        assert isinstance(test.y, Tensor)
        y, rng = test.y, torch.Generator().manual_seed(subject.seed)
        rows = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[: self.part]
        refined = subject.has("chains")

        def sampler(z: Tensor, steps: int = self.refinement.steps, through: bool = False) -> Tensor:
            return log_probabilities(model, z, replace(self.refinement, steps=steps), rng, through=through)

        value = float(right(model.logits, x, y).float().mean())
        yield subject.row("robust_clean", value, "class of the largest logit, no attack", n=len(x))
        if refined:
            yield from self._interval(subject, "robust_clean_sampler", right(sampler, x[rows], y[rows]), "no attack")
        surrogate = None if subject.judge is None or subject.judge is subject.model else subject.judge.logits
        for ball in self.balls(subject.data.domain.bounds):
            name = f"robust_{ball.norm}_{ball.epsilon:g}"
            attacks = self.on_logits(ball, model.logits, surrogate)
            left = list(in_turn(attacks.values(), model.logits, x, y, rng))
            first, *others = attacks
            yield subject.row(f"{name}_pgd", float(left[0].float().mean()), first, n=len(x))
            told = f"{first}; then, on those left, {', '.join(others)}"
            yield subject.row(f"{name}_least", float(left[-1].float().mean()), told, n=len(x))
            if refined:
                whole = self.on_sampler(ball, sampler, model.logits, surrogate)
                yield from self._withstood(subject, ball, sampler, whole, x[rows], y[rows], rng)

    def on_sampler(
        self, ball: Ball, sampler: Any, logits: Logits, surrogate: Logits | None
    ) -> dict[str, tuple[Attack, Logits, str]]:
        """The attacks with gradients that a sampler withstands or not, each with the logits that it sees, in words."""
        own, transfer = PGD(ball, self.steps, self.restarts), PGD(ball, self.transfer_steps, 1)
        pgd = PGD(ball, self.sampler_steps, 1, self.draws)
        told = f"PGD of {pgd.steps} steps over {pgd.draws} draws of the sampler"
        found: dict[str, tuple[Attack, Logits, str]]
        found = {
            "logits": (own, logits, f"PGD on the logits, {own.steps} steps, {own.restarts} starts"),
            "bypassed": (pgd, sampler, f"{told}, its chains bypassed"),
            "through": (pgd, partial(sampler, through=True), f"{told}, its chains passed through"),
            "short": (pgd, partial(sampler, steps=1), f"{told}, its chains shortened to one transition"),
        }
        if not self.refinement.steps:
            found = {"logits": found["logits"], "draws": (pgd, sampler, told)}  # there are no chains
        if surrogate is not None:
            found["transfer"] = transfer, surrogate, f"PGD of {transfer.steps} steps on the judge"
        return found

    def _withstood(
        self,
        subject: Subject,
        ball: Ball,
        sampler: Any,
        attacks: dict[str, tuple[Attack, Logits, str]],
        x: Tensor,
        y: Tensor,
        rng: torch.Generator,
    ) -> Iterator[Row]:
        """Accuracy of the sampler under each attack alone, and under all, with a random search on what is left."""
        name = f"robust_{ball.norm}_{ball.epsilon:g}_sampler"
        left = torch.ones(len(x), dtype=torch.bool)
        for kind, (attack, seen, words) in attacks.items():
            parts = zip(x.split(PART), y.split(PART), strict=True)
            kept = right(sampler, torch.cat([attack(seen, *part, rng) for part in parts]), y)
            left = left & kept
            yield subject.row(f"{name}_{kind}", float(kept.float().mean()), f"{words}, alone", n=len(x))
        search = RandomSearch(ball, self.sampler_queries, self.draws)
        if bool(left.any()):
            left[left.clone()] = right(sampler, search(sampler, x[left], y[left], rng), y[left])
        told = "; ".join(
            [
                *(words for *_, words in attacks.values()),
                f"random search of {search.queries} queries over {search.draws} draws",
            ]
        )
        yield from self._interval(subject, name, left, told)

    def on_logits(self, ball: Ball, logits: Logits, surrogate: Logits | None) -> dict[str, tuple[Attack, Logits]]:
        """The attacks on the logits in their order, each with the logits that it sees, by what they are in words."""
        pgd, transfer = PGD(ball, self.steps, self.restarts), PGD(ball, self.transfer_steps, 1)
        found: dict[str, tuple[Attack, Logits]]
        found = {f"PGD on the logits, {pgd.steps} steps, {pgd.restarts} starts": (pgd, logits)}
        if surrogate is not None:
            found[f"PGD of {transfer.steps} steps on the judge"] = transfer, surrogate
        return found | {f"random search of {self.queries} queries": (RandomSearch(ball, self.queries), logits)}

    def _interval(self, subject: Subject, name: str, hits: Tensor, attacks: str) -> Iterator[Row]:
        """The fraction of hits `(n,)`, and the lower end of its 95 % interval."""
        n = len(hits)
        low, high = binomial_interval(int(hits.sum()), n)
        told = f"{self.refinement}, a fixed part of the split{subject.learned}, {attacks}"
        interval = f"95 % interval {low:.3f} ... {high:.3f} (Clopper-Pearson)"
        yield subject.row(name, float(hits.float().mean()), f"{told}; {interval}", n=n)
        yield subject.row(f"{name}_low", low, f"{told}; lower end of the {interval}", n=n)


def in_turn(
    attacks: Iterable[tuple[Attack, Logits]], logits: Logits, x: Tensor, y: Tensor, rng: torch.Generator
) -> Iterator[Tensor]:
    """Attacks, each of which takes the examples that are classified rightly after all before it.

    Args:
        attacks: attacks, with the logits that they see.
        logits: of the classifier.
        x: examples, `(n, *event)`.
        y: their classes, `(n,)`.
        rng: source of random numbers.

    Yields:
        After each attack, which examples are left: classified rightly after it and all before it, `(n,)`.
    """
    left = torch.ones(len(x), dtype=torch.bool)
    for attack, seen in attacks:
        changed = x.clone()
        if bool(left.any()):
            changed[left] = attack(seen, x[left], y[left], rng)
        left = left & right(logits, changed, y)
        yield left


@torch.no_grad()
def right(logits: Logits, x: Tensor, y: Tensor, size: int = 500) -> Tensor:
    """Whether examples x `(n, *event)` are classified as y `(n,)`, part by part: booleans `(n,)`.

    Raises:
        UserError: if a logit is not finite.
    """
    found = torch.cat([logits(part) for part in x.split(size)])
    require_finite("logits", found)
    return margins(found, y) > 0
