"""Concrete energies.

`ANALYTIC` and `NEURAL` hold functions that build one example of each, over the plane and over 8x8 pictures. The
contract tests run over both lists.
"""

from collections.abc import Callable

import torch

from energybased import networks
from energybased.energies.analytic import Analytic
from energybased.energies.gaussian import Gaussian, GaussianMixture, IsotropicMixture, StandardNormal
from energybased.energies.guided import Guided
from energybased.energies.measured import Contaminated, Measured, Through
from energybased.energies.network import MLP, Network, as_energy
from energybased.energies.noise_conditional import NoiseConditional
from energybased.energies.planar import Banana, Ring
from energybased.energies.principal import PrincipalGaussian
from energybased.energies.principal_mixture import PrincipalMixture
from energybased.energies.ratio import Ratio, Ratios
from energybased.energies.reconstruction import Reconstruction
from energybased.energies.tilted import Tilted
from energybased.energies.tilted_mixture import TiltedMixture
from energybased.energies.uniform import Uniform
from energybased.energy import Energy

ANALYTIC: tuple[Callable[[], Analytic], ...] = (
    lambda: StandardNormal(2),
    lambda: Gaussian(torch.tensor([1.0, -1.0]), torch.tensor([[1.0, 0.6], [0.6, 0.8]])),
    lambda: IsotropicMixture(torch.tensor([[-2.0, 0.0], [2.0, 1.0]]), 0.7, torch.tensor([1.0, 3.0])),
    lambda: GaussianMixture(
        torch.tensor([[-2.0, 0.0], [2.0, 1.0]]), torch.tensor([[[1.0, 0.6], [0.6, 0.8]], [[0.5, -0.2], [-0.2, 0.7]]])
    ),
    lambda: PrincipalGaussian(
        torch.tensor([1.0, -1.0]), torch.tensor([[0.6], [0.8]]), torch.ones(1), torch.tensor(0.3)
    ),
    lambda: PrincipalMixture(
        PrincipalGaussian(torch.tensor([1.0, -1.0]), torch.tensor([[0.6], [0.8]]), torch.ones(1), torch.tensor(0.3)),
        GaussianMixture(torch.tensor([[-2.0], [1.0]]), torch.tensor([[[0.5]], [[0.8]]]), torch.tensor([1.0, 3.0])),
    ),
    lambda: Ring(2.0, 0.3),
    lambda: Banana(1.2, 0.4),
)
NEURAL: tuple[Callable[[int], Energy], ...] = (
    lambda classes: MLP(64, (16,), classes),
    lambda classes: Tilted.build(64, networks.MLP(64, (16,), classes)),
    lambda classes: TiltedMixture.build_mixture(64, 2, networks.MLP(64, (16,), classes)),
    lambda classes: NoiseConditional.build(
        (1, 8, 8), networks.DenseField((1, 8, 8), (16,), 1 + classes, max(1, classes)), (0.05, 5.0), classes
    ).at(0.5),
)

__all__ = [
    "ANALYTIC",
    "MLP",
    "NEURAL",
    "Analytic",
    "Banana",
    "Contaminated",
    "GaussianMixture",
    "Gaussian",
    "Guided",
    "IsotropicMixture",
    "Measured",
    "Network",
    "NoiseConditional",
    "PrincipalGaussian",
    "PrincipalMixture",
    "Ratio",
    "Ratios",
    "Reconstruction",
    "Ring",
    "StandardNormal",
    "Through",
    "Tilted",
    "TiltedMixture",
    "Uniform",
    "as_energy",
]
