"""Your own network and data: a spiral, learned by contrastive divergence. Runs in half a minute."""

import torch
from torch import nn

import energybased as eb

torch.manual_seed(0)
angle = 3 * torch.pi * torch.rand(2000).sqrt()
spiral = torch.stack([angle * angle.cos(), angle * angle.sin()], 1) / 5 + 0.05 * torch.randn(2000, 2)

network = nn.Sequential(nn.Linear(2, 128), nn.SiLU(), nn.Linear(128, 128), nn.SiLU(), nn.Linear(128, 1), nn.Flatten(0))
energy = eb.Network(network) + eb.Gaussian(torch.zeros(2), torch.cov(spiral.T))  # what the network learns, times a base

objective = eb.ContrastiveDivergence(eb.Underdamped(0.1, 0.8), steps=10, buffer=eb.ReplayBuffer(1024, restart=0.02))
settings = eb.training.Settings(batch_size=256, data_noise=0.1, optimizer=eb.training.Adam(lr=2e-3, clip_norm=5.0))
run = eb.train(
    energy=energy, data=spiral, objective=objective, steps=400, out="runs/spiral", settings=settings, overwrite=True
)

model = eb.load(run.path, energy=energy)
samples = eb.sample(model.energy, torch.randn(1000, 2), eb.MALA(0.3), steps=500)
print(f"acceptance {samples.info.acceptance.mean():.2f}, largest R-hat {samples.info.r_hat.max():.2f}")
print(f"mean energy of data {model.score(spiral).mean():.2f}, of samples {model.score(samples.x).mean():.2f}")
