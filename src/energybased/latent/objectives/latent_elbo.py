"""The second stage of a two-stage variational autoencoder (Dai & Wipf 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Generator

from energybased.networks import Encoder, LatentDecoder
from energybased.objectives.elbo import divergence
from energybased.objectives.objective import Batch, Parts, Result, State, Stateless, Vital, scalar


@dataclass(frozen=True)
class LatentElbo(Stateless):
    """|z+ - h(u)|^2 / (2 s^2) + dim log s + KL(q(u | z+), N(0, I)), u from q(u | z+) (Dai & Wipf 2019).

    z+ are samples of the encoder of the first stage, which is not trained. h and s are the mean and the standard
    deviation of the part "latent_decoder", and q is the part "latent_encoder".
    """

    vitals: ClassVar[tuple[Vital, ...]] = (Vital("divergence", 0.0, 1e4, 50, "lower the learning rate"),)

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        encoder, above, upper = (parts[name] for name in ("encoder", "latent_encoder", "latent_decoder"))
        with torch.no_grad():
            z = cast(Encoder, encoder).sample(batch.x, rng)
        mean, log_std = above(z)
        u = cast(Encoder, above).around(mean, log_std, rng)
        std = cast(LatentDecoder, upper).log_std
        off = 0.5 * (z - upper(u)).square() * (-2 * std).exp() + std
        far = divergence(mean, log_std).mean()
        loss = off.sum(1).mean() + far
        return Result(
            {"latent_decoder": loss, "latent_encoder": loss}, state, {"loss": scalar(loss), "divergence": scalar(far)}
        )
