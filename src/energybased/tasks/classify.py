"""Classification by the energies of the classes, with or without steps of the sampler before the decision."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Generator, Tensor

from energybased.algebra import Rowwise
from energybased.conditions import Classes
from energybased.energy import Condition, Energy
from energybased.errors import require
from energybased.models.degradation import normal
from energybased.models.model import CHUNK, checked, seeded
from energybased.sampling import Kernel, Streams, sample


@dataclass(frozen=True)
class Refinement:
    """What happens to x before it is classified (Du & Mordatch 2019).

    Args:
        steps: transitions of the model's sampler that start at x; 0 for none.
        under: "marginal" follows one chain, under the energy summed over the classes. "class" follows a chain under
            each class, as the paper does, and compares the energies at their ends. It needs a radius: chains without
            limit become samples of their class, whose energies say nothing about x.
        copies: number of copies of x, each with its own chain and noise, whose probabilities are averaged.
        noise: add Gaussian noise of the standard deviation in training to each copy before its chain begins.
        radius: largest change of an entry by the chain, in the model's units; None for no limit. The paper has 8/255.

    Raises:
        UserError: for settings out of range.
    """

    steps: int = 10
    under: Literal["marginal", "class"] = "marginal"
    copies: int = 1
    noise: bool = False
    radius: float | None = None

    def __post_init__(self) -> None:
        for name, least in (("steps", 0), ("copies", 1)):
            value = getattr(self, name)
            whole = isinstance(value, int) and value >= least
            require(whole, f"{name} must be a whole number of at least {least}, got {value}")
        require(self.under in ("marginal", "class"), f"under is 'marginal' or 'class', got {self.under!r}")
        require(self.radius is None or 0 < self.radius < math.inf, f"radius must be positive, got {self.radius}")
        bounded = self.under == "marginal" or self.steps == 0 or self.radius is not None
        advice = "chains under each class need a radius, such as 8/255 of the paper"
        require(bounded, f"{advice}: without one, they become samples of their class, and forget x")

    def __str__(self) -> str:
        noisy = f"the mean over {self.copies} {'noisy ' if self.noise else ''}copies" if self.active else ""
        near = f", within {self.radius:g}" if self.radius else ""
        energy = "each class" if self.under == "class" else "the marginal energy"
        chain = f"{self.steps} transitions under {energy}{near}" if self.steps else ""
        return " after ".join(part for part in (noisy, chain) if part) or "no refinement"

    @property
    def active(self) -> bool:
        """Whether anything happens to x; if not, it is classified as it is."""
        return self.steps > 0 or self.noise


AS_IT_IS = Refinement(steps=0)


def labels(model: Any) -> list[str]:
    """The user's label of each class of a model.

    Raises:
        UserError: if the model does not classify.
    """
    usable = "class logits" in model.offers
    advice = "to classify, train an energy on labelled data with --conditional True, or a judge"
    require(usable, f"the model has no classes: {advice}")
    (kind,) = [kind for kind in model.spec.conditions if isinstance(kind, Classes)]
    return list(kind.names or map(str, range(kind.count)))


def log_probabilities(
    model: Any,
    x: Tensor,
    refinement: Refinement = AS_IT_IS,
    generator: Generator | None = None,
    *,
    through: bool = False,
) -> Tensor:
    """log p(y | x) `(n, classes)` of x `(n, *event)` in the user's units, differentiable in x.

    Args:
        model: an energy conditional on the class, or a judge.
        x: examples, in the user's units.
        refinement: what happens to x before it is classified.
        generator: seeds noise and chains; they get a new seed if not given.
        through: whether the gradient passes through the transitions of the chains. If not, it passes them as if they
            added a constant to x (Athalye et al. 2018, BPDA).

    Raises:
        UserError: if the model does not classify, or has no chains to refine x with.
    """
    classes = len(labels(model))
    if not refinement.active:
        return model.logits(x).log_softmax(1)
    require("chains" in model.offers, "this model has no chains over data: classify without steps and noise")
    rng = seeded(generator)
    clean = model.spec.domain.encode(x).to(model.place)
    copies = []
    for _ in range(refinement.copies):
        noise = normal(clean, rng)  # drawn in any case, so that chains do not depend on it
        start = clean + model.noise * noise if refinement.noise else clean
        copies.append(_refined(model, start, refinement, classes, rng, through).log_softmax(1))
    return torch.stack(copies).logsumexp(0) - math.log(len(copies))


def probabilities(
    model: Any, x: Tensor, refinement: Refinement = AS_IT_IS, generator: Generator | None = None
) -> Tensor:
    """p(y | x) `(n, classes)` of x `(n, *event)` in the user's units, as `log_probabilities`, part by part.

    Raises:
        UserError: if x is not of the model's shape and domain, or the model does not classify.
    """
    rng = seeded(generator)
    with torch.no_grad():
        parts = [log_probabilities(model, part, refinement, rng) for part in checked(x, model.spec).split(CHUNK)]
    found = torch.cat(parts).exp()
    lost = int((~found.isfinite()).any(1).sum())
    require(lost == 0, f"{lost} of {len(x)} examples have energies that are not finite: the model has diverged")
    return found


def _refined(model: Any, start: Tensor, refinement: Refinement, classes: int, rng: Generator, through: bool) -> Tensor:
    """Logits `(n, classes)` of the ends of chains that begin at `start`, `(n, *event)`, in the model's units."""
    energy, one_each = model.marginal, refinement.under == "class"
    if one_each:
        start = start.repeat_interleave(classes, dim=0)
        y = torch.arange(len(start), device=start.device) % classes
        energy = model.energy.given(y)
    end, kernel, fixed = start, model.sampler.kernel, start.detach()
    if refinement.steps:
        chained = energy if refinement.radius is None else _Near(energy, fixed, torch.tensor(refinement.radius))
        if through:
            end = _run(chained, start, kernel, refinement.steps, Streams.of(rng, start))
        else:
            end = start + (sample(chained, fixed, kernel, refinement.steps, rng, engine="eager").x - fixed)
    if not one_each:
        logits: Tensor = model.class_logits(end)
        return logits
    terms: Tensor = model.class_terms
    return terms.to(end) - energy(end).unflatten(0, (-1, classes))


def _run(energy: Energy, start: Tensor, kernel: Kernel, steps: int, streams: Streams) -> Tensor:
    """The ends of chains `(batch, *event)`, as those of `sample`, but differentiable in their starts."""
    state = kernel.init(energy, start)
    for _ in range(steps):
        state, _ = kernel.step(energy, state, streams)
    return state.x


class _Near(Rowwise):
    """An energy whose chains stay within a distance of a centre `(batch, *event)` in each entry."""

    def project(self, x: Tensor) -> Tensor:
        centre, radius = self.parts()
        return self.terms[0].project(torch.minimum(torch.maximum(x, centre - radius), centre + radius))

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        return self.terms[0](x)
