"""Fitting a staged prior to samples (Xiao & Han 2022)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

from energybased.data import Reals, Split
from energybased.energies import Analytic, StandardNormal
from energybased.errors import require
from energybased.latent.objectives.stage_ratio import MIN_UPDATES, StageRatio, stage_finished
from energybased.latent.prior import POPULATION
from energybased.latent.staged_prior import StagedPrior
from energybased.networks import BatchedMLP
from energybased.sampling import MALA
from energybased.training import Adam, Loop, Phase, Settings
from energybased.training.batches import SplitBatches
from energybased.training.rng import preserved_rng
from energybased.training.unrecorded import trained

MAX_STAGES = 5
MAX_UPDATES = 800  # per stage
BATCH = 512
HELD_OUT_FRACTION = 0.2  # of the samples, if they are a tensor
TAIL_FRACTION = 0.002  # of the samples of a prior that count as its tail


def fit_staged_prior(
    positives: Tensor | Callable[[int], Tensor],
    dim: int,
    *,
    stages: int | str = "auto",
    base: Analytic | None = None,
    network: Sequence[int] = (128, 128),
    budget: int | None = None,
    generator: Generator | None = None,
) -> StagedPrior:
    """Fits the density of samples as a base density times ratios that are learned in stages (Xiao & Han 2022).

    If the samples are a tensor, a fifth of them is held out. The held-out samples decide whether a stage has learned
    anything, and give no gradient.

    Args:
        positives: samples `(n, dim)`, or a function that draws n of them.
        dim: number of entries of each sample.
        stages: largest number of stages, or "auto" for five. The fit ends after a stage that learns nothing.
        base: the base density, a standard normal if not given. Any energy with known log Z (`energies.Analytic`) can be
            the base; `log_ratio` then gives the logarithm of the fitted density over this density.
        network: widths of the hidden layers of each ratio.
        budget: largest number of updates per stage.
        generator: seeds the fit.

    Raises:
        UserError: if the positives are empty, constant, not finite, or not of shape `(n, dim)`.

    Warns:
        UserWarning: if no stage was learned, or if the prior has no samples where most positives lie.
    """
    whole = isinstance(stages, int) and not isinstance(stages, bool) and stages >= 1
    require(stages == "auto" or whole, f"stages is 'auto' or at least 1, got {stages}")
    require(base is None or isinstance(base, Analytic), f"base is an energy that can be drawn from, got {type(base)}")
    require(base is None or base.dim == dim, f"the base is over {base and base.dim} entries, the positives over {dim}")
    widths = isinstance(network, Sequence) and all(width >= 1 for width in network)
    require(widths, f"network must be a sequence of layer widths, got {network}")
    steps = MAX_UPDATES if budget is None else budget
    require(steps > MIN_UPDATES, f"budget must be above {MIN_UPDATES}: no stage is learned earlier, got {steps}")
    positives, shown = _checked(positives, dim)
    seed = int(torch.randint(2**31, (), generator=generator))
    count = MAX_STAGES if isinstance(stages, str) else stages
    data, held = _split(positives, seed) if isinstance(positives, Tensor) else (positives, None)
    phases = [_phase(StageRatio(k, MALA(0.2), held=held), steps) for k in range(count - 1)]
    # The last stage trains for its whole budget, because no stage follows.
    last = StageRatio(count - 1, MALA(0.2), held=held, saturated=0.0, patience=steps)
    settings = Settings(
        seed, BATCH, device=str(shown.device), optimizer=Adam(2e-3, beta1=0.9, schedule="cosine"), ema=0.995
    )
    with preserved_rng():
        torch.manual_seed(seed)
        prior = StagedPrior(base or StandardNormal(dim), BatchedMLP(dim, network, count))
        state = trained(Loop({"prior": prior}, [*phases, _phase(last, steps)], data, settings))
    require(state.counters.stopped is None, f"the fit was stopped by the guard: {state.counters.stopped}")
    prior.load_state_dict(state.averages["prior"])
    prior.eval().requires_grad_(False).to(shown.device)
    if not prior.stages:
        warnings.warn("the positives cannot be distinguished from the base: no stage was learned", stacklevel=2)
    prior.normalise(generator=generator)
    if _beyond(prior, shown, generator):
        why = "most positives lie where the prior has no samples"
        warnings.warn(f"{why}: standardise the positives, or give a base that covers them", stacklevel=2)
    return prior


def _phase(ratio: StageRatio, steps: int) -> Phase:
    """The phase of one stage. It starts from averaged weights, which earlier stages keep."""
    return Phase(ratio, steps, done=stage_finished, restart_from_ema=("prior",))


def _checked(positives: Tensor | Callable[[int], Tensor], dim: int) -> tuple[Tensor | Callable[[int], Tensor], Tensor]:
    """The positives in torch's default dtype, and some or all of them as a tensor `(n, dim)`."""
    if isinstance(positives, Tensor):
        positives = shown = positives.to(torch.get_default_dtype())
    else:
        require(callable(positives), "positives are a tensor, or a function that draws n rows")
        asked = positives
        positives = lambda n: asked(n).to(torch.get_default_dtype())  # noqa: E731
        shown = positives(BATCH)
    require(shown.ndim == 2 and shown.shape[1] == dim, f"positives are of shape (n, {dim}), got {tuple(shown.shape)}")
    drawn = isinstance(positives, Tensor) or len(shown) == BATCH
    require(drawn, f"positives({BATCH}) must draw {BATCH} rows, but drew {len(shown)}")
    require(len(shown) >= 2, f"a fit needs at least two positives, got {len(shown)}")
    require(bool(shown.isfinite().all()), "the positives have entries that are not finite")
    require(bool((shown.std(0) > 0).all()), "an entry of the positives is constant, so that they have no density")
    return positives, shown


def _beyond(prior: StagedPrior, positives: Tensor, generator: Generator | None) -> bool:
    """Whether the median energy of the positives exceeds the energies of 99.8 % of the samples of the prior."""
    samples = prior(prior.sample(POPULATION, generator))
    return bool(prior(positives[:POPULATION]).median() > samples.quantile(1 - TAIL_FRACTION))


def _split(x: Tensor, seed: int) -> tuple[SplitBatches, int]:
    """Batches of samples `(n, dim)`, of which a fifth is held out, and the number of held-out samples."""
    count = max(1, round(HELD_OUT_FRACTION * len(x)))
    held_out = torch.zeros(len(x), dtype=torch.bool, device="cpu")
    held_out[torch.randperm(len(x), generator=torch.Generator().manual_seed(seed), device="cpu")[:count]] = True
    return SplitBatches(Split(x.cpu()), Reals(), BATCH, seed, held_out=held_out), count
