"""A small variational autoencoder of pictures with Gaussian noise: a rival with a bound of its density."""

from __future__ import annotations

import math

import torch
from learner import NOISE, Learner, held_out, pictures, train
from torch import Generator, Tensor, nn

from energybased.data import DataSet
from energybased.networks import dense_encoder
from energybased.networks.dense import dense
from energybased.objectives.elbo import divergence

HIDDEN, LATENT = (400, 400), 32  # 1.3 million parameters
RATE, BATCH, PART = 1e-3, 100, 200  # pictures in a part of a computation without an update


class Vae(nn.Module):
    """p(v | z) = N(g(z), noise^2 + s(z)^2), pixel by pixel (Kingma & Welling 2014).

    g is the mean of x given z, and s its standard deviation, at most 1/2. v is x + noise eps.
    """

    def __init__(self, event: tuple[int, ...]) -> None:
        super().__init__()
        self.event = event
        self.encoder = dense_encoder(event, HIDDEN, LATENT)
        self.decoder = nn.Sequential(*dense([LATENT, *HIDDEN[::-1]], 2 * math.prod(event)))

    def decoded(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The mean of x, and the variance of v, for z `(..., 32)`, `(..., pixels)` each."""
        mean, spread = self.decoder(z).sigmoid().chunk(2, dim=-1)
        return mean, NOISE**2 + 0.25 * spread

    def log_likelihood(self, v: Tensor, z: Tensor) -> Tensor:
        """log p(v | z) in nats, `(...,)`, for v `(n, *event)` and z `(..., n, 32)`."""
        mean, variance = self.decoded(z)
        return -0.5 * ((v.flatten(1) - mean).square() / variance + (2 * math.pi * variance).log()).sum(-1)

    def bound(self, v: Tensor, rng: Generator) -> Tensor:
        """The evidence lower bound of log p(v), with one sample of z, in nats, `(n,)`."""
        mean, log_std = self.encoder(v)
        z = self.encoder.around(mean, log_std, rng)
        return self.log_likelihood(v, z) - divergence(mean, log_std)

    @torch.no_grad()
    def importance(self, v: Tensor, samples: int, rng: Generator) -> Tensor:
        """The bound log mean p(v, z) / q(z | v) over samples of q (Burda et al. 2016), in nats, `(n,)`."""
        return torch.cat([self._importance(part, samples, rng) for part in v.split(PART)])

    def _importance(self, v: Tensor, samples: int, rng: Generator) -> Tensor:
        mean, log_std = self.encoder(v)
        eps = torch.randn(samples, *mean.shape, generator=rng)
        z = mean + log_std.exp() * eps
        ratio = (-0.5 * z.square() + 0.5 * eps.square() + log_std).sum(-1)  # log N(z; 0, I) / q(z | v)
        return (self.log_likelihood(v, z) + ratio).logsumexp(0) - math.log(samples)

    @torch.no_grad()
    def sample(self, n: int, rng: Generator) -> Tensor:
        """n means of x given z, for z from the prior, `(n, *event)`."""
        return self.decoded(torch.randn(n, LATENT, generator=rng))[0].view(n, *self.event)


def build(data: DataSet) -> Vae:
    return Vae(data.event)


def fit(network: Vae, data: DataSet, minutes: float, seed: int) -> str:
    """The evidence lower bound of noisy pictures is raised."""
    learner, rng = Learner(network, RATE), torch.Generator().manual_seed(seed)
    held, _ = held_out(data, seed, NOISE)

    def update(batch, progress: float) -> None:
        v, _ = pictures(batch, rng, NOISE)
        learner.step(-network.bound(v, rng).mean() / v[0].numel(), progress)

    def fault(net) -> float:
        return -float(net.bound(held, torch.Generator().manual_seed(seed)).mean())

    return train(learner, update, fault, data, minutes, seed, BATCH)
