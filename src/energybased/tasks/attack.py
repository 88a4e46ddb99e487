"""Attacks on classifiers: small changes of x that lower the logit of its class below that of another one.

Examples, distances and bounds are in the user's units. A classifier is any function from x `(n, *event)` to logits
`(n, classes)`. An attack that follows gradients needs a differentiable one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Union

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from energybased.broadcast import per_row
from energybased.errors import require
from energybased.models.model import seeded

Logits = Callable[[Tensor], Tensor]
CHUNK = 500  # examples attacked at a time
SHARE = 0.3  # part of the entries in a square of the first proposals of a random search; it falls to a single entry


def margins(logits: Tensor, y: Tensor) -> Tensor:
    """How far the logit of its class is above the largest other one, `(n,)`. The class is missed at 0 or less.

    Args:
        logits: `(n, classes)`.
        y: class numbers, `(n,)`.

    >>> margins(torch.tensor([[3.0, 1.0, 2.0]]), torch.tensor([1]))
    tensor([-2.])
    """
    own = F.one_hot(y, logits.shape[1]).bool()
    return logits[own] - logits.masked_fill(own, -math.inf).amax(1)


@dataclass(frozen=True)
class Ball:
    """The allowed changes: at most epsilon in the norm, within the bounds.

    Args:
        norm: "linf", the largest change of an entry, or "l2", the Euclidean length of the change.
        epsilon: radius, in units of x.
        bounds: (low, high), smallest and largest value of an entry; None for no bounds.

    Raises:
        UserError: for settings out of range.
    """

    norm: Literal["linf", "l2"]
    epsilon: float
    bounds: tuple[float, float] | None = (0.0, 1.0)

    def __post_init__(self) -> None:
        require(self.norm in ("linf", "l2"), f"a norm is 'linf' or 'l2', got {self.norm!r}")
        require(0 < self.epsilon < math.inf, f"epsilon must be positive, got {self.epsilon}")
        ordered = self.bounds is None or self.bounds[0] < self.bounds[1]
        require(ordered, f"bounds must be (low, high), got {self.bounds}")
        wide = self.bounds is None or self.norm == "l2" or self.epsilon <= self.bounds[1] - self.bounds[0]
        require(
            wide, f"epsilon {self.epsilon:g} is larger than the range {self.bounds}: divide by 255 if x is in [0, 1]"
        )

    def project(self, x: Tensor, centre: Tensor) -> Tensor:
        """x `(n, *event)` moved into the ball around the centre `(n, *event)` and into the bounds.

        The centre is within the bounds. Clipping to them then shortens the change, so the result keeps both limits.
        """
        change = x - centre
        if self.norm == "linf":
            change = change.clamp(-self.epsilon, self.epsilon)
        else:
            change = change * (self.epsilon / lengths(change).clamp(min=self.epsilon))
        moved = centre + change
        return moved if self.bounds is None else moved.clamp(*self.bounds)

    def random(self, centre: Tensor, rng: Generator) -> Tensor:
        """A random point of the ball around each centre: uniform in the linf ball, of uniform length in the l2 ball."""
        shape, device = centre.shape, rng.device
        if self.norm == "linf":
            change = self.epsilon * (2 * torch.rand(shape, generator=rng, device=device, dtype=centre.dtype) - 1)
        else:
            change = torch.randn(shape, generator=rng, device=device, dtype=centre.dtype)
            length = torch.rand(len(centre), generator=rng, device=device, dtype=centre.dtype)
            change = change / lengths(change) * self.epsilon * per_row(length, centre)
        return self.project(centre + change.to(centre.device), centre)

    def steepest(self, gradient: Tensor) -> Tensor:
        """The direction of length 1 in the norm along which the gradient `(n, *event)` rises fastest."""
        if self.norm == "linf":
            return gradient.sign()
        return gradient / lengths(gradient).clamp(min=torch.finfo(gradient.dtype).tiny)


@dataclass(frozen=True)
class PGD:
    """Projected gradient descent on the margin, with random starts (Madry et al. 2018).

    The length of a step falls linearly from 2 epsilon, so that early steps cross the ball and late ones settle. Restart
    0 lowers the margin, restart 1 the log probability of the class, and restart r > 1 the margin to the class that was
    the (r - 1)-th nearest (Gowal et al. 2019). The best iterate of all restarts is kept for each example.

    For random logits (`draws` > 1), gradients and margins are those of the mean log probability over the draws (Athalye
    et al. 2018, EOT), and each restart contributes its last iterate: the best of many noisy ones would be lucky.

    Args:
        ball: the allowed changes.
        steps: gradient steps of each restart.
        restarts: number of random starts.
        draws: number of evaluations of the logits in each step.

    Raises:
        UserError: for settings out of range.
    """

    ball: Ball
    steps: int = 40
    restarts: int = 2
    draws: int = 1

    def __post_init__(self) -> None:
        check_counts(steps=self.steps, restarts=self.restarts, draws=self.draws)

    def __call__(self, logits: Logits, x: Tensor, y: Tensor, generator: Generator | None = None) -> Tensor:
        """Changed examples `(n, *event)` of examples x `(n, *event)` of classes y `(n,)`.

        Raises:
            UserError: if x is outside the bounds, or y holds no class for each example.
        """
        check_attacked(x, y, self.ball)
        rng = seeded(generator)
        return torch.cat([self._chunk(logits, *part, rng) for part in zip(x.split(CHUNK), y.split(CHUNK), strict=True)])

    def _chunk(self, logits: Logits, x: Tensor, y: Tensor, rng: Generator) -> Tensor:
        with torch.no_grad():
            clean = averaged(logits, x, self.draws)
        check_classes(clean, y)
        order = clean.scatter(1, y[:, None], math.inf).argsort(1, descending=True)  # the class itself is first
        best, lowest = x.clone(), margins(clean, y)
        for restart in range(self.restarts):
            rows = torch.arange(len(x), device=x.device)
            if self.draws == 1:
                rows = rows[lowest > 0]  # the others are missed already
            if len(rows) == 0:
                break
            target = order[rows, min(restart, order.shape[1]) - 1] if restart > 1 else None
            found, margin = self._descend(logits, x[rows], y[rows], target, restart == 1, rng)
            better = margin < lowest[rows]
            best[rows[better]], lowest[rows[better]] = found[better], margin[better]
        return best

    def _descend(
        self, logits: Logits, x: Tensor, y: Tensor, target: Tensor | None, likelihood: bool, rng: Generator
    ) -> tuple[Tensor, Tensor]:
        """The best iterates of one restart, and their margins `(n,)`."""
        each = torch.arange(len(x), device=x.device)
        moved = self.ball.random(x, rng)
        best, lowest = moved, torch.full((len(x),), math.inf, dtype=x.dtype, device=x.device)
        for step in range(self.steps + 1):
            with torch.enable_grad():
                leaf = moved.detach().requires_grad_()
                values = averaged(logits, leaf, self.draws)
                if likelihood:
                    loss = values.log_softmax(1)[each, y]
                else:
                    loss = margins(values, y) if target is None else values[each, y] - values[each, target]
                (gradient,) = torch.autograd.grad(loss.sum(), leaf)
            margin = margins(values.detach(), y)
            better = margin < lowest if self.draws == 1 else torch.ones_like(each, dtype=torch.bool)
            best = torch.where(per_row(better, x), moved, best)
            lowest = torch.where(better, margin, lowest)
            if step < self.steps:
                length = 2 * self.ball.epsilon * (1 - step / self.steps)
                moved = self.ball.project(moved - length * self.ball.steepest(gradient), x)
        return best, lowest


@dataclass(frozen=True)
class RandomSearch:
    """An attack without gradients: random squares of a random sign, kept where they lower the margin.

    It follows the Square Attack (Andriushchenko et al. 2020), whose linf proposals it has. An l2 proposal adds a square
    and scales the whole change to the length epsilon. Events that are not pictures are changed in random intervals.

    For random logits (`draws` > 1), margins are those of the mean log probability over the draws. The change so far is
    evaluated anew beside each proposal, and no example leaves the search: one lucky draw proves nothing.

    Args:
        ball: the allowed changes.
        queries: proposals for each example.
        draws: number of evaluations of the logits for a margin.

    Raises:
        UserError: for settings out of range.
    """

    ball: Ball
    queries: int = 300
    draws: int = 1

    def __post_init__(self) -> None:
        check_counts(queries=self.queries, draws=self.draws)

    @torch.no_grad()
    def __call__(self, logits: Logits, x: Tensor, y: Tensor, generator: Generator | None = None) -> Tensor:
        """Changed examples `(n, *event)` of examples x `(n, *event)` of classes y `(n,)`.

        Raises:
            UserError: if x is outside the bounds, or y holds no class for each example.
        """
        check_attacked(x, y, self.ball)
        rng = seeded(generator)
        return torch.cat([self._chunk(logits, *part, rng) for part in zip(x.split(CHUNK), y.split(CHUNK), strict=True)])

    def _chunk(self, logits: Logits, x: Tensor, y: Tensor, rng: Generator) -> Tensor:
        centre = x.flatten(1)[:, None, None] if x.ndim != 4 else x  # (n, channels, height, width)
        signs = torch.randint(2, (*centre.shape[:2], 1, centre.shape[3]), generator=rng, device=rng.device)
        stripes = self._scaled((2.0 * signs - 1).to(centre).expand_as(centre))  # the first proposal of the paper
        clean = averaged(logits, x, self.draws)
        check_classes(clean, y)
        change, lowest = torch.zeros_like(centre), margins(clean, y)
        for query in range(self.queries):
            rows = (lowest > 0).nonzero().squeeze(1) if self.draws == 1 else torch.arange(len(x), device=x.device)
            if len(rows) == 0:
                break
            if self.draws > 1 and query > 0:
                lowest = margins(averaged(logits, (centre + change).view_as(x), self.draws), y)
            proposed = stripes[rows] if query == 0 else self._proposed(change[rows], query / self.queries, rng)
            moved = self.ball.project(centre[rows] + proposed, centre[rows])
            margin = margins(averaged(logits, moved.view(-1, *x.shape[1:]), self.draws), y[rows])
            better = margin < lowest[rows]
            kept = rows[better]
            change[kept], lowest[kept] = (moved - centre[rows])[better], margin[better]
        return self.ball.project(centre + change, centre).view_as(x)

    def _proposed(self, change: Tensor, progress: float, rng: Generator) -> Tensor:
        """Changes `(n, channels, height, width)` with a random square of each one replaced, or added to."""
        n, channels, height, width = change.shape
        area = max(SHARE * (1 - progress) ** 3 * height * width, 1.0)
        tall = min(height, max(1, round(area**0.5)))
        wide = min(width, max(1, round(area / tall)))
        corner = torch.rand(2, n, 1, 1, 1, generator=rng, device=rng.device).to(change)
        top = (corner[0] * (height - tall + 1)).floor()
        left = (corner[1] * (width - wide + 1)).floor()
        row, column = (torch.arange(k, device=change.device) for k in (height, width))
        row, column = row[:, None], column[None]
        inside = (row >= top) & (row < top + tall) & (column >= left) & (column < left + wide)
        signs = torch.randint(2, (n, channels, 1, 1), generator=rng, device=rng.device)
        square = torch.where(inside, (2.0 * signs - 1).to(change), 0.0)
        if self.ball.norm == "linf":
            return torch.where(inside, self.ball.epsilon * square, change)
        return self._scaled(change + self._scaled(square) * (1 - progress))

    def _scaled(self, change: Tensor) -> Tensor:
        """The change at the edge of the ball: scaled to the length epsilon, or by it."""
        if self.ball.norm == "linf":
            return self.ball.epsilon * change
        return change * (self.ball.epsilon / lengths(change).clamp(min=torch.finfo(change.dtype).tiny))


Attack = Union[PGD, RandomSearch]


def averaged(logits: Logits, x: Tensor, draws: int) -> Tensor:
    """Logits `(n, classes)` of x `(n, *event)`; of several draws, the mean of their log probabilities."""
    if draws == 1:
        return logits(x)
    return torch.stack([logits(x).log_softmax(1) for _ in range(draws)]).mean(0)


def check_counts(**counts: int) -> None:
    """Raises `UserError` unless all of these are whole numbers of at least 1."""
    for name, count in counts.items():
        require(isinstance(count, int) and count >= 1, f"{name} must be a whole number of at least 1, got {count}")


def check_attacked(x: Tensor, y: Tensor, ball: Ball) -> None:
    """Raises `UserError` unless x `(n, *event)` is within the bounds of the ball, and y `(n,)` holds their classes."""
    require(isinstance(x, Tensor) and isinstance(y, Tensor), "x and y must be tensors")
    require(x.is_floating_point() and x.ndim >= 2, f"x must be floating-point (n, *event), got {tuple(x.shape)}")
    require(len(x) >= 1, "there is no example to attack")
    low, high = float(x.min()), float(x.max())
    inside = ball.bounds is None or (ball.bounds[0] <= low and high <= ball.bounds[1])
    require(inside, f"x holds values in {low:g} ... {high:g}, outside the bounds {ball.bounds}")
    whole = y.dtype == torch.int64 and tuple(y.shape) == (len(x),)
    require(whole, f"y must be int64, a class number for each of {len(x)} examples, got {tuple(y.shape)} of {y.dtype}")


def check_classes(logits: Tensor, y: Tensor) -> None:
    """Raises `UserError` unless each class of y `(n,)` has one of the logits `(n, classes)`, which are finite."""
    several = logits.ndim == 2 and logits.shape[1] >= 2
    require(several, f"logits must be (n, classes) with at least two classes, got {tuple(logits.shape)}")
    require(bool(logits.isfinite().all()), "the classifier has logits that are not finite")
    known = int(y.min()) >= 0 and int(y.max()) < logits.shape[1]
    require(known, f"y holds classes {int(y.min())} ... {int(y.max())}, but there are {logits.shape[1]} logits")


def lengths(change: Tensor) -> Tensor:
    """Euclidean lengths of the rows of a change `(n, *event)`, `(n, 1, ...)` with as many dimensions."""
    return per_row(change.flatten(1).norm(dim=1), change)
