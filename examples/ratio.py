"""Two sets of samples, and how much likelier a point is in one than in the other: log p/q, learned in stages."""

import torch

import energybased as eb
from energybased.energies import IsotropicMixture

generator = torch.Generator().manual_seed(0)
p = IsotropicMixture(torch.tensor([[-1.5, 0.0], [1.5, 0.0]]), 0.5)
q = eb.Gaussian(torch.zeros(2), torch.diag(torch.tensor([2.0, 0.5])))
of_p, of_q = p.sample(4000, generator), q.sample(4000, generator)

# Each set is told from the same normal; where the densities are narrow or far apart, more stages bridge the gap.
fit = lambda x: eb.latent.fit_staged_prior(x, dim=2, stages=2, network=(64, 64), budget=300, generator=generator)  # noqa: E731
near_p, near_q = fit(of_p), fit(of_q)

x = torch.tensor([[-1.5, 0.0], [-1.0, 0.5], [0.5, 0.0], [1.0, -0.5]])
print("log p/q, learned:", near_p.log_prob(x) - near_q.log_prob(x))
print("log p/q, known:  ", p.log_prob(x) - q.log_prob(x))
error = (near_p.log_prob(of_p) - near_q.log_prob(of_p)) - (p.log_prob(of_p) - q.log_prob(of_p))
print(f"root mean square error on samples of p: {error.square().mean().sqrt():.2f} nats")
