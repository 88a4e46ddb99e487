"""Learning a generator and its prior together, stage after stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast

from torch import Generator, Tensor

from energybased.latent.posterior import Posterior
from energybased.latent.stage import StageRatio
from energybased.latent.staged_prior import StagedPrior
from energybased.objectives.objective import Batch, Parts, Result, State, Vital, scalar


@dataclass(frozen=True)
class JointStage:
    """Xiao & Han 2022: the stage's ratio between z+ and z-, and |x - g(z+)|^2 for the generator.

    z+ are samples of the posterior under the prior of the stages before, the running one left out; z- samples of that
    prior.

    Args:
        ratio: the stage.
        posterior: how z+ are drawn.
    """

    vitals: ClassVar[tuple[Vital, ...]] = (
        Vital("mse", 0.0, 1.0, 50, "lower the learning rate"),
        Vital("latent_square", 0.0, 100.0, 50, "take shorter steps on the posterior, or a larger sigma"),
    )

    ratio: StageRatio
    posterior: Posterior = Posterior()

    def init(self, parts: Parts, data: Tensor, rng: Generator) -> State:
        return self.ratio.init(parts, data, rng)

    def refresh(self, state: State, rng: Generator) -> State:
        return self.ratio.refresh(state, rng)

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        prior, generator = cast(StagedPrior, parts["prior"]), parts["generator"]
        energy = self.posterior.energy(prior.first(self.ratio.stage), generator, batch.x)
        start = self.posterior.noise(len(batch.x), prior.base.dim, rng).to(batch.x)
        positives = self.posterior.infer(energy, start, rng).x.detach()
        learned = self.ratio.step(parts, state, Batch(positives), rng)
        off = (generator(positives) - batch.x).square().flatten(1)
        metrics = {
            **learned.metrics,
            "mse": scalar(4 * off.mean()),  # on [-1, 1], as the literature states it
            "latent_square": scalar(positives.square().mean()),
        }
        return Result({**learned.losses, "generator": off.sum(1).mean()}, learned.state, metrics)
