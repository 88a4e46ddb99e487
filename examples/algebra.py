"""The algebra of energies: products, mixtures and fixed entries, compared with known answers."""

import torch

import energybased as eb

generator = torch.Generator().manual_seed(0)
left = eb.Gaussian(torch.tensor([-2.0, 0.0]), torch.eye(2))
right = eb.Gaussian(torch.tensor([2.0, 0.0]), torch.eye(2))

both = eb.sample(left + right, torch.zeros(2000, 2), eb.HMC(0.3, 5), steps=100, generator=generator).x
print(f"left AND right: mean {both.mean(0).tolist()}, variance {both.var(0).tolist()} (theory: 0 and 1/2)")

either = eb.sample(left | right, 2 * torch.randn(2000, 2, generator=generator), eb.MALA(0.8), 400, generator).x
print(f"left OR right: {(either[:, 0] > 0).float().mean():.2f} of samples on the right (theory: 1/2)")

correlated = eb.Gaussian(torch.zeros(2), torch.tensor([[1.0, 0.8], [0.8, 1.0]]))
seen = torch.tensor([1.5, 0.0]).expand(2000, 2)
inpainted = correlated.pin(seen, free=torch.tensor([False, True]))
x = eb.sample(inpainted, seen, eb.HMC(0.3, 5), steps=100, generator=generator).x
print(f"the second entry given the first is 1.5: mean {x[:, 1].mean():.2f} (theory: 1.2), sd {x[:, 1].std():.2f} (0.6)")
