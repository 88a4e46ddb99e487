"""The log-likelihood of held-out data under a latent model, from both ends of annealing.

p(x) is the integral of p(x | z) p(z). Forwards, chains lead from the base of the prior to the posterior of an example:
in expectation a lower bound of log p(x). Backwards, they begin at samples of the posterior. Those of a test example are
ends of chains, so the result is an estimate. For an example of the model itself, the z that made it is an exact sample
of its posterior, if the prior can be sampled exactly: then the two sides enclose log p(x) (Grosse, Ghahramani & Adams
2015), and their distance tells how far the forward estimates are from it.

A prior with stages has a log Z of its own, which is estimated from both ends too. Each side uses the one of its
direction.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Generator

from energybased.evaluation.likelihood import Likelihood, Side, likelihood_rows, log_z_rows, sides_of
from energybased.evaluation.partition import enough_chains, sandwich_log_z
from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject
from energybased.models.evidence import LEVELS, LogEvidence, backward_evidence, forward_evidence
from energybased.sampling.annealed import Estimate

EXAMPLES, PARTICLES = 200, 20  # test examples, and chains for each
NEARBY = 2000  # samples of the prior to which the mixture is fitted at which its path begins


def latent_rows(subject: Subject) -> Iterator[Row]:
    """Rows of a latent model: log Z of a learned prior, the likelihood of test examples, and the width of its sides."""
    model, rng, clean = subject.model, subject.rng(), subject.some(EXAMPLES)
    base, sides = float(model.base.log_z), dict[str, Side]()
    if model.stages:
        count = enough_chains(model.dim)
        near, samples = model.prior.nearby(NEARBY, rng), model.sample_prior(count, generator=rng)
        found = [sandwich_log_z(model.prior, near, (model.dim,), count, samples, generator=rng)]
        sides = sides_of(found, "a mixture fitted to samples", "log Z of the prior")
        yield from log_z_rows(subject, found, sides, count)
    x = model.spec.domain.encode(clean).to(model.place)
    z = model.sample_posterior(clean.repeat_interleave(PARTICLES, 0), generator=rng)
    chains = f"{PARTICLES} chains for each example"
    ends: dict[str, tuple[LogEvidence, str]] = {
        "": (forward_evidence(model, x, PARTICLES, LEVELS, rng), "from the prior's base, in expectation a lower bound"),
        "_backward": (backward_evidence(model, x, z, LEVELS, rng), "from ends of chains on posteriors: an estimate"),
    }
    for side, (evidence, direction) in ends.items():
        log_z = sides[side].estimates[0] if sides else Estimate(base, 0.0, 0.0)
        protocol = f"{chains} {direction}{f'; {sides[side].protocol}' if sides else ''}"
        likelihood = Likelihood((evidence.values - (log_z.value - base)).cpu(), log_z.error)
        yield from likelihood_rows(subject, side, likelihood, 0.0, protocol)
        words = f"mean effective sample size of the last weights; {protocol}"
        yield subject.row(f"log_likelihood{side}_ess", float(evidence.ess.mean()), words, n=len(x))
    yield width_row(subject, rng)


def width_row(subject: Subject, rng: Generator) -> Row:
    """How far both sides are apart on examples of the model itself, of which z is known."""
    model = subject.model
    z = model.sample_prior(EXAMPLES, generator=rng)
    with torch.no_grad():
        made = model.generator(z)
    x = made + model.sigma * torch.randn(made.shape, generator=rng).to(made)
    below = forward_evidence(model, x, PARTICLES, LEVELS, rng)
    # Transitions before the way back move the copies of z apart, and leave each of them a sample of the posterior.
    above = backward_evidence(model, x, z.repeat_interleave(PARTICLES, 0), LEVELS, rng)
    start = "the z that made it" + (", itself the end of a chain: an estimate" if model.stages else "")
    protocol = f"mean of backward less forward log p(x) of {len(x)} samples of the model, backwards from {start}, nats"
    return subject.row("log_likelihood_width", float((above.values - below.values).mean()), protocol, n=len(x))
