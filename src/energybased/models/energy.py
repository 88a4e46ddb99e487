"""A trained energy over data."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from energybased.algebra import Marginal
from energybased.conditions import Conditions, check_conditions, classes_of
from energybased.data import DataSpec
from energybased.energy import Energy
from energybased.errors import UserError, require
from energybased.models import model as shared
from energybased.models.conditioned import conditioned
from energybased.models.degradation import Degradation, as_degradation
from energybased.models.fitted import Fitted
from energybased.models.model import Origin, by_chunks, checked, finite, moved, place_of, require_shape, seeded
from energybased.models.sampler import Sampler
from energybased.models.scores import SCORES, ScoreBy, energies, scores
from energybased.processes import ALONE, Processes
from energybased.sampling import Samples, Streams, fresh_starts, sample
from energybased.sampling.denoise import denoise

FILM_CHAINS, FILM_FRAMES = 8, 12


@dataclass(frozen=True)
class EnergyModel:
    """A trained energy in eval mode, with the settings by which it is sampled.

    Samples and scores are in the user's units. `energy`, `start` and `run_chains` use the model's units; see
    `data.domain`.

    Args:
        energy: the energy over x `(batch, *event)`, with frozen parameters.
        spec: shape, domain and conditions of the training data.
        sampler: settings of the chains; a model without them gives only scores.
        noise: standard deviation of the Gaussian noise that was added to the data, in the model's units.
        conditions: kinds of y that must still be given; empty if the energy is unconditional, or y was given.
        origin: the recipe and the trained parts, for `export`; None if the model cannot be exported.
        rows: number of rows of the y that was given; None if it is the same for all rows.
        processes: the processes that share samples and scores. All must make the same calls.
        score_by: what `score` gives; see `models.scores`.
        fitted: what was fitted to data after training; None for a model whose training has not finished.
    """

    energy: Energy
    spec: DataSpec
    sampler: Sampler | None = None
    noise: float = 0.0
    conditions: Conditions = ()
    origin: Origin | None = None
    rows: int | None = None
    processes: Processes = ALONE
    score_by: ScoreBy = "energy"
    fitted: Fitted | None = None

    def __post_init__(self) -> None:
        require(self.score_by in SCORES, f"score_by is one of {', '.join(SCORES)}, got {self.score_by!r}")
        terms = 0 if self.fitted is None else len(self.fitted.class_terms)
        fits = terms in (0, self.classes)
        require(fits, f"{terms} class terms were fitted, but the model has {self.classes} classes")

    @property
    def offers(self) -> frozenset[str]:
        """What the model offers: "energy", "samples", "conditional samples", "scores", "chains" and "class logits"."""
        marginal = not self.conditions or self.classes > 0  # a real vector cannot be summed over
        found = {"energy", "scores"} if marginal else set[str]()
        found |= {"class logits"} if self.classes else set()
        if self.sampler is not None:
            found |= {"samples", "chains"} if marginal else set()
            found |= {"conditional samples"} if self.conditions else set()
        return frozenset(found)

    @property
    def classes(self) -> int:
        """Number of classes, if a single class must still be given; 0 otherwise."""
        return classes_of(self.conditions)

    def at(self, sigma: float) -> EnergyModel:
        """The model with the energy at another level of noise, which only a `NoiseConditionalModel` has.

        Raises:
            UserError: for every model of one level.
        """
        raise UserError(
            f"this model has one level of noise, {self.noise:g}: mnist-energy, for one, trains one with levels"
        )

    def given(self, *y: Any) -> EnergyModel:
        """The model with the energy E(x | y). A score that was fitted to training data becomes E.

        Args:
            y: one value for each condition of the model. A value is an int, a label or a vector for all rows, or a
                tensor with one row per example.

        Raises:
            UserError: if the model is not conditional, or y has another kind, width or range. Sampling and scoring
                raise it if the number of examples is not that of the rows of y.
        """
        require(len(self.conditions) > 0, "the model is not conditional, or its condition is given already")
        y = y[0] if len(y) == 1 and isinstance(y[0], tuple) else y
        parts = check_conditions(y, self.conditions)
        rows = [len(getattr(kind, "shape", ())) for kind in self.conditions]
        parts = [p[None] if n and p.ndim == n else p for p, n in zip(parts, rows, strict=True)]
        counts = {len(p) for p in parts if p.ndim and len(p) > 1}
        require(len(counts) <= 1, f"the conditions have different numbers of rows: {sorted(counts)}")
        return replace(
            self,
            energy=self.energy.given(*parts),
            conditions=(),
            origin=None,
            rows=max(counts, default=None),
            fitted=None,  # that of the sum over the classes
            score_by="energy" if SCORES[self.score_by].fit else self.score_by,
        )

    def composed(self, combine: Callable[[Energy], Energy]) -> EnergyModel:
        """The model of another energy, made of this one, such as `lambda e: e.given(3) + e.given(8)`.

        Args:
            combine: maps the energy, which takes the conditions of the model, to one that takes none.
        """
        return replace(self, energy=combine(self.energy), conditions=(), origin=None, fitted=None)

    def cycle_classes(self, n: int) -> Energy:
        """The energy for n rows. If a class must still be given, row i gets the class i modulo the number of classes.

        Raises:
            UserError: if another condition must still be given.
        """
        if self.classes:
            return self.energy.given(torch.arange(n, device=self.place.device) % self.classes)
        self._free()
        self.require_rows(n)
        return self.energy

    @property
    def class_terms(self) -> Tensor:
        """b_y in nats for each class y, `(classes,)`, in float64; zeros if nothing was fitted or is open.

        Contrastive divergence that compares energies under one class at a time leaves the weights of the classes open.
        They are fitted to labelled data when training ends (`models.class_terms`).
        """
        terms = () if self.fitted is None else self.fitted.class_terms
        return torch.tensor(terms or (0.0,) * self.classes, dtype=torch.float64, device=self.place.device)

    @property
    def marginal(self) -> Energy:
        """-log sum_y exp(b_y - E(x, y)) over the classes y; the energy itself if no condition must be given."""
        if self.classes:
            return Marginal(self.energy, self.classes, self.class_terms)
        self._free()
        return self.energy

    def logits(self, x: Tensor) -> Tensor:
        """b_y - E(x, y) for each class y, `(n, classes)`, of x `(n, *event)` in the user's units; differentiable in x.

        Their softmax is p(y | x) if exp(b_y - E(x, y)) is the joint density of x and y, up to a constant; b are the
        `class_terms`. Values outside the domain are allowed, so that attacks and finite differences can pass them.

        Raises:
            UserError: if x has another shape, or there is no class that must still be given.
        """
        require_shape(x, self.spec)
        return self.class_logits(self.spec.domain.encode(x).to(self.place))

    def class_logits(self, v: Tensor) -> Tensor:
        """As `logits`, of v `(n, *event)` in the model's units."""
        require(self.classes > 0, "the model has no classes, or a class was given already: it cannot classify")
        found = -self.energy.by_class(v, self.classes)
        return found + self.class_terms.to(found)

    @property
    def place(self) -> Tensor:
        """A tensor with the device and dtype of the energy."""
        return place_of(self.energy)

    def start(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """The first states of n fresh chains, `(n, *event)`, in the model's units."""
        require(n >= 1, f"n must be at least 1, got {n}")
        place, rng = self.place, seeded(generator)
        return fresh_starts(self.energy, self.spec.domain, n, self.spec.event, rng, place.dtype).to(place)

    def run_chains(
        self,
        start: Tensor,
        *,
        steps: int | None = None,
        generator: Generator | None = None,
        keep_every: int | None = None,
    ) -> Samples:
        """Runs chains from `start` `(n, *event)`, in the model's units, for `steps` or the sampler's length."""
        sampler = self.require_sampler()
        steps = sampler.length if steps is None else steps
        return sample(self.cycle_classes(len(start)), start, sampler.kernel, steps, seeded(generator), keep_every)

    def sample(self, n: int, *, steps: int | None = None, generator: Generator | None = None) -> Tensor:
        """n samples `(n, *event)`: the last states of fresh chains, denoised.

        Args:
            steps: transitions of each chain; the sampler's length if not given.
            generator: seeds the chains; they get a new seed if not given.
        """
        return self.sample_chains(n, steps=steps, generator=generator)

    def sample_chains(self, n: int, *, steps: int | None = None, generator: Generator | None = None) -> Tensor:
        """As `sample`, by chains also if the model has another way to draw samples."""
        rng, sampler = seeded(generator), self.require_sampler()
        start, energy = self.start(n, generator=rng), self.cycle_classes(n)
        steps = sampler.length if steps is None else steps
        streams = Streams.of(rng, start)

        def run(rows: Tensor) -> Tensor:
            whole = len(rows) == shared.CHUNK < n  # compiling pays off from the second part on
            part = energy.select(rows), start[rows], sampler.kernel, steps, streams.select(rows)
            return sample(*part, engine=sampler.resolved_engine if whole else "eager").x

        return self.denoise(by_chunks(run, n, self.place, self.processes))

    def denoise(self, x: Tensor) -> Tensor:
        """Denoises last states x `(n, *event)` of chains (`sampling.denoise`), from the model's units to the user's."""
        energy, times = self.cycle_classes(len(x)), 1 if self.sampler is None else self.sampler.denoise

        def clean(rows: Tensor) -> Tensor:
            return denoise(energy.select(rows), x[rows], self.noise, times)

        return self.spec.domain.decode(by_chunks(clean, len(x), self.place, self.processes))

    def restore(
        self,
        x: Tensor,
        free: Tensor | None = None,
        *,
        degradation: Degradation | None = None,
        steps: int | None = None,
        generator: Generator | None = None,
    ) -> Tensor:
        """One restored example for each degraded one, `(n, *event)`: the last states of chains, denoised.

        The chains sample p(v | y), where v is an example with the model's noise and y the degraded one, with noise
        added to it as `Degradation.evidence` says. If a class must still be given, they sample the sum over the
        classes.

        Args:
            x: degraded examples y, in the user's units.
            free: boolean mask, broadcastable to x, of missing entries; short for `degradation=Missing(free)`.
            degradation: what was done to the examples.
            steps: transitions of each chain. The default is the sampler's length, or more if the degradation makes
                steps shorter.
            generator: seeds the chains; they get a new seed if not given.

        Raises:
            UserError: if not one of `free` and `degradation` is given, or x cannot be an example that was degraded so.
        """
        require(steps is None or steps >= 1, f"steps must be at least 1, got {steps}")
        degradation, rng = as_degradation(free, degradation), seeded(generator)
        y = degradation.check(x, self.spec)
        chains = conditioned(self, y, degradation, rng)
        chains = chains if steps is None else replace(chains, steps=steps)
        return degradation.merge(y, chains.ends(Streams.of(rng, chains.start)))

    def score(self, x: Tensor, *, generator: Generator | None = None) -> Tensor:
        """Anomaly scores `(n,)` of x `(n, *event)`, as `score_by` says. High means out of distribution.

        Args:
            x: examples, in the user's units.
            generator: seeds the noise of a score of noisy copies; it gets a new seed if not given.

        Raises:
            UserError: if x is not of the model's shape and domain, a score is not finite, or the model cannot give it.
        """
        return finite(scores(self, self._encoded(x), generator))

    def energies(self, x: Tensor) -> Tensor:
        """Energies `(n,)` of x `(n, *event)`, in nats up to a constant; of x without a class if none is given.

        Raises:
            UserError: if x is not of the model's shape and domain, or an energy is not finite.
        """
        return finite(energies(self, self._encoded(x)))

    def film(self, *, generator: Generator | None = None) -> Tensor:
        """States of eight chains from start to end, `(8, frames, *event)`, at logarithmically spaced steps.

        The last frame is the last state, denoised.
        """
        rng, length = seeded(generator), self.require_sampler().length
        start = self.start(FILM_CHAINS, generator=rng)
        trace = self.run_chains(start, generator=rng, keep_every=1).trace
        assert trace is not None
        path = torch.cat([start[None], trace])
        frames = torch.logspace(0, math.log10(length + 1.0), FILM_FRAMES - 1, device="cpu").round().long() - 1
        shown = self.spec.domain.decode(path[frames].flatten(0, 1)).unflatten(0, (len(frames), -1))
        return torch.cat([shown, self.denoise(path[-1])[None]]).transpose(0, 1)

    def to(self, device: str | torch.device | None = None, dtype: torch.dtype | None = None) -> EnergyModel:
        """A copy on another device, or with another floating-point type."""
        return replace(self, energy=moved(self.energy, device, dtype))

    def export(self, file: Path | str, *, dtype: torch.dtype | None = None) -> None:
        """Writes weights and settings into one file that `load` reads; parameters as `dtype`, if it is given."""
        shared.export(self.origin, file, self.fitted, dtype)

    def _encoded(self, x: Tensor) -> Tensor:
        """Checks x and converts it to the model's units, device and dtype."""
        x = checked(x, self.spec)
        self.require_rows(len(x))
        return self.spec.domain.encode(x).to(self.place)

    def require_sampler(self) -> Sampler:
        """The sampler. Raises `UserError` if there is none."""
        if self.sampler is None:
            raise UserError(
                "this model has no sampler: pass sampler=... to train, or use sample(model.energy, start, kernel, n)"
            )
        return self.sampler

    def require_rows(self, n: int) -> None:
        """Raises `UserError` if conditions of another number of rows than n were given."""
        require(
            self.rows in (None, n), f"the model was given conditions of {self.rows} rows, but there are {n} examples"
        )

    def _free(self) -> None:
        kinds = " and ".join(map(str, self.conditions))
        require(not self.conditions, f"the model is conditional on {kinds}: give them with model.given(...) first")
