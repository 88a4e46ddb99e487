"""A trained energy of data with noise of every level."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Generator, Tensor

from energybased.conditions import check_conditions
from energybased.energies.guided import Guided
from energybased.energies.noise_conditional import NoiseConditional
from energybased.energy import NUMBER, Energy
from energybased.errors import UserError, require
from energybased.models.conditioned import conditioned
from energybased.models.degradation import Degradation, as_degradation, normal
from energybased.models.energy import FILM_CHAINS, FILM_FRAMES, EnergyModel
from energybased.models.model import by_chunks, checked, moved, place_of, seeded
from energybased.sampling import Streams, sample
from energybased.sampling.denoise import denoise
from energybased.sampling.flow import flow, noise_levels
from energybased.sampling.stiffened import scaled


@dataclass(frozen=True)
class NoiseConditionalModel(EnergyModel):
    """A trained energy E(x | y, sigma), whose samples come from the flow through its levels of noise.

    As an `EnergyModel`, which scores and classifies and has chains, it is the energy at one level, `noise`. Steps of
    its chains are for that level, and in proportion at others.

    Args:
        levels: the energy at all levels.
        flow_levels: number of levels of the flow, each but the last with two gradients.
        guidance: weight of guidance by class in samples; 1 for none, 0 for samples without a class; see
            `energies.guided`.
        bind: makes the energy of the model of that of a level, once a class was given or energies were composed.
    """

    levels: NoiseConditional | None = None
    flow_levels: int = 18
    guidance: float = 1.0
    bind: Callable[[Energy], Energy] | None = None

    @property
    def offers(self) -> frozenset[str]:
        return super().offers | ({"samples", "conditional samples"} if self.conditions else {"samples"})

    def at(self, sigma: float) -> NoiseConditionalModel:
        """The model with the energy at another level of noise, in the model's units.

        Raises:
            UserError: if the level is no number, or outside the range of the training.
        """
        require(isinstance(sigma, NUMBER), f"a model has one level at a time, a number, got {sigma!r}")
        energy: Energy = self._levels.at(sigma)
        energy = energy if self.bind is None else self.bind(energy)
        sampler, ratio = self.sampler, float(sigma) / self.noise
        if sampler is not None:
            sampler = replace(sampler, kernel=scaled(sampler.kernel, ratio))
        return replace(self, energy=energy, noise=float(sigma), sampler=sampler, score_by="energy", fitted=None)

    @property
    def marginal(self) -> Energy:
        """As of `EnergyModel`, or E(x) as the network learned it without labels, in one pass."""
        free = self._levels.free(self.noise) if self.classes and self.bind is None else None
        return super().marginal if free is None else free

    def class_logits(self, v: Tensor) -> Tensor:
        if not self.classes or self.bind is not None:
            return super().class_logits(v)
        return -self._levels.joint(v, torch.full((len(v),), self.noise, dtype=v.dtype, device=v.device))

    def given(self, *y: Any) -> NoiseConditionalModel:
        found = super().given(*y)
        assert isinstance(found, NoiseConditionalModel)
        (label,) = check_conditions(y, self.conditions)
        return replace(found, bind=lambda energy: energy.given(label.to(place_of(energy).device)))

    def composed(self, combine: Callable[[Energy], Energy]) -> NoiseConditionalModel:
        found = super().composed(combine)
        assert isinstance(found, NoiseConditionalModel)
        earlier = self.bind  # such as that of a class that was given
        return replace(found, bind=combine if earlier is None else lambda energy: combine(earlier(energy)))

    def start(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """x `(n, *event)` at the level `noise`, in the model's units, by the flow from the highest level."""
        return self._flow(n, seeded(generator), self.flow_levels, self.noise)

    def sample(self, n: int, *, steps: int | None = None, generator: Generator | None = None) -> Tensor:
        """n samples `(n, *event)` by the flow from the highest level of noise to the lowest, denoised.

        Args:
            steps: number of levels of the flow; `flow_levels` if not given.
            generator: seeds the first x; it gets a new seed if not given.
        """
        low = self._levels.levels[0]
        x = self._flow(n, seeded(generator), self.flow_levels if steps is None else steps, low)
        at = self._path(n)

        def clean(rows: Tensor) -> Tensor:
            return denoise(at(low).select(rows), x[rows], low)

        return self.spec.domain.decode(by_chunks(clean, n, self.place, self.processes))

    def anneal(self, n: int, *, steps: int | None = None, generator: Generator | None = None) -> Tensor:
        """n samples `(n, *event)` by chains at each level of the flow in turn, from the highest down, denoised.

        The sampler's kernel runs them, with steps in proportion to the level (Song & Ermon 2019). Between two levels,
        the state moves along the flow, as in `restore`.

        Args:
            steps: transitions at each level; the sampler's length if not given.
            generator: seeds the first x and the chains; it gets a new seed if not given.

        Raises:
            UserError: if the model has no sampler.
        """
        require(steps is None or steps >= 1, f"steps must be at least 1, got {steps}")
        self.require_rows(n)
        rng, sampler, at = seeded(generator), self.require_sampler(), self._path(n)
        length = sampler.length if steps is None else steps
        start, levels = self._top(n, rng), noise_levels(*self._levels.levels, self.flow_levels)
        streams = Streams.of(rng, start)

        def run(rows: Tensor) -> Tensor:
            state, own = start[rows], streams.select(rows)
            for sigma, lower in pairwise([*levels, 0.0]):
                kernel, energy = scaled(sampler.kernel, sigma / self.noise), at(sigma).select(rows)
                state = sample(energy, state, kernel, length, own, engine="eager").x
                expected = denoise(energy, state, sigma)
                state = expected + lower / sigma * (state - expected)
            return state

        return self.spec.domain.decode(by_chunks(run, n, self.place, self.processes))

    def restore(
        self,
        x: Tensor,
        free: Tensor | None = None,
        *,
        degradation: Degradation | None = None,
        steps: int | None = None,
        generator: Generator | None = None,
    ) -> Tensor:
        """As `EnergyModel.restore`, by chains at each level of the flow in turn, from the highest to the lowest.

        Between two levels, the state x moves along the flow, by Euler's method: to D + (lower / sigma) (x - D), where D
        is x denoised. Without this it would have too much noise for the next level.

        Args:
            steps: transitions at each level; the sampler's length if not given.
        """
        require(steps is None or steps >= 1, f"steps must be at least 1, got {steps}")
        degradation, rng = as_degradation(free, degradation), seeded(generator)
        y = degradation.check(x, self.spec)
        state: Tensor | None = None
        expected, above = y, 0.0  # of the level above
        for sigma in noise_levels(*self._levels.levels, self.flow_levels):
            if state is not None:
                state = expected + sigma / above * (state - expected)
            chains = conditioned(self.at(sigma), y, degradation, rng, state)
            chains = chains if steps is None else replace(chains, steps=steps)
            state = chains.states(Streams.of(rng, chains.start))
            expected, above = chains.denoised(state), sigma
        assert state is not None  # there are at least two levels
        return degradation.merge(y, self.spec.domain.decode(expected))

    def redraw(
        self,
        x: Tensor,
        sigma: float | None,
        *,
        steps: int | None = None,
        film: bool = False,
        generator: Generator | None = None,
    ) -> Tensor:
        """Examples x get noise of a level and follow the flow down from there, as in SDEdit (Meng et al. 2022).

        Args:
            x: `(n, *event)`, in the user's units.
            sigma: the level, in the model's units: how far the samples may be from x. None: they begin at pure noise.
            steps: number of levels of the flow; `flow_levels` if not given.
            film: return what the flow expects at each level, `(n, steps, *event)`, of which the last is the sample.
            generator: seeds the noise; it gets a new seed if not given.

        Returns:
            samples `(n, *event)`, in the user's units, or the film.

        Raises:
            UserError: if the level is not above the lowest one, or beyond the range of the training.
        """
        generator = seeded(generator)
        self.require_rows(len(x))
        x, (low, high), at = checked(x, self.spec), self._levels.levels, self._path(len(x))
        inside = sigma is None or (isinstance(sigma, NUMBER) and low < sigma <= high)
        require(inside, f"the level must be in {low:g} ... {high:g}, and not the lowest, got {sigma!r}")
        clean = self.spec.domain.encode(x).to(self.place)
        start = self._top(len(x), generator) if sigma is None else clean + sigma * normal(clean, generator)
        levels = noise_levels(low, high if sigma is None else sigma, self.flow_levels if steps is None else steps)

        def run(rows: Tensor) -> Tensor:
            path = zip(levels, flow(lambda level: at(level).select(rows), start[rows], levels), strict=True)
            kept = path if film else deque(path, maxlen=1)
            return torch.stack([denoise(at(level).select(rows), v, level) for level, v in kept], 1)

        found: Tensor = self.spec.domain.decode(by_chunks(run, len(x), self.place, self.processes))
        return found if film else found[:, 0]

    def film(self, *, generator: Generator | None = None) -> Tensor:
        """What the flow of eight samples expects at each level, `(8, frames, *event)`: x, denoised."""
        start, at = self._top(FILM_CHAINS, seeded(generator)), self._path(FILM_CHAINS)
        levels = noise_levels(*self._levels.levels, FILM_FRAMES)
        path = zip(levels, flow(at, start, levels), strict=True)
        return torch.stack([self.spec.domain.decode(denoise(at(sigma), x, sigma)) for sigma, x in path], 1)

    def to(self, device: str | torch.device | None = None, dtype: torch.dtype | None = None) -> NoiseConditionalModel:
        levels = moved(self._levels, device, dtype)
        energy: Energy = levels.at(self.noise)
        return replace(self, levels=levels, energy=energy if self.bind is None else self.bind(energy))

    def _flow(self, n: int, generator: Generator, count: int, low: float) -> Tensor:
        """x `(n, *event)` at a level, by the flow through `count` levels from the highest."""
        self.require_rows(n)
        start, at, high = self._top(n, generator), self._path(n), self._levels.levels[1]
        levels = noise_levels(low, high, count) if low < high else [high]

        def run(rows: Tensor) -> Tensor:
            return deque(flow(lambda sigma: at(sigma).select(rows), start[rows], levels), maxlen=1).pop()

        return by_chunks(run, n, self.place, self.processes)

    def _top(self, n: int, generator: Generator) -> Tensor:
        """x `(n, *event)` with noise of the highest level: draws of its Gaussian."""
        require(n >= 1, f"n must be at least 1, got {n}")
        energy = self._levels
        noise = torch.randn((n, *self.spec.event), generator=generator, device=generator.device).to(self.place)
        found: Tensor = energy.mean + (energy.levels[1] ** 2 + energy.scale**2).sqrt() * noise
        return found

    def _path(self, n: int) -> Callable[[float], Energy]:
        """The energy for n rows at each level, with guidance; of each class in turn if none was given."""
        levels, bind = self._levels, self.bind
        if self.classes:
            cycle = torch.arange(n, device=self.place.device) % self.classes

            def bind(energy: Energy) -> Energy:
                return energy.given(cycle)

        def at(sigma: float) -> Energy:
            energy: Energy = levels.at(sigma)
            free = levels.free(sigma)
            if self.guidance == 0 and self.bind is None and free is not None:
                return free  # which `Guided` would compute beside a class
            if levels.classes and self.guidance != 1:
                energy = Guided(energy, levels.classes, self.guidance, free)
            return energy if bind is None else bind(energy)

        return at

    @property
    def _levels(self) -> NoiseConditional:
        if self.levels is None:
            raise UserError("the model has no energy over levels of noise")
        return self.levels
