"""Objectives, one per file. `OBJECTIVES` has an example of each, over which the contract tests run."""

from collections.abc import Callable

from torch import nn

from energybased.energies import MLP, Network, NoiseConditional
from energybased.networks import DenseField, Joint, dense_encoder, dense_generator
from energybased.objectives.contrastive_divergence import ContrastiveDivergence
from energybased.objectives.cross_entropy import CrossEntropy
from energybased.objectives.denoising import Denoising
from energybased.objectives.denoising_score_matching import DenoisingScoreMatching
from energybased.objectives.distillation import Distillation
from energybased.objectives.elbo import Elbo
from energybased.objectives.energy_discrepancy import EnergyDiscrepancy
from energybased.objectives.energy_matching import EnergyMatching
from energybased.objectives.equilibrium_matching import EquilibriumMatching
from energybased.objectives.joint_energy import JointEnergy
from energybased.objectives.level_classification import LevelClassification
from energybased.objectives.objective import Batch, Coupled, Objective, Refreshing, Result, Vital
from energybased.objectives.recovery_likelihood import RecoveryLikelihood
from energybased.objectives.regularized_autoencoder import RegularizedAutoencoder
from energybased.sampling import Langevin, ReplayBuffer

# Each objective, with a function that builds its parts for examples of four pixels in [0, 1] and two classes.
OBJECTIVES: tuple[tuple[Objective, Callable[[], dict[str, nn.Module]]], ...] = (
    (
        ContrastiveDivergence(Langevin(0.1, 0.05, bounds=(0.0, 1.0)), steps=3, buffer=ReplayBuffer(capacity=16)),
        lambda: {"energy": MLP(4, (8,), 2)},
    ),
    (
        JointEnergy(
            ContrastiveDivergence(Langevin(0.1, 0.05, bounds=(0.0, 1.0)), steps=3, buffer=ReplayBuffer(capacity=16)), 2
        ),
        lambda: {"energy": Network(Joint(nn.Sequential(nn.Flatten(), nn.Linear(4, 2))))},
    ),
    (EnergyDiscrepancy(particles=4), lambda: {"energy": MLP(4, (8,), 2)}),
    (EnergyMatching(), lambda: {"energy": MLP(4, (8,), 2)}),
    (EquilibriumMatching(), lambda: {"energy": MLP(4, (8,), 2)}),
    (
        DenoisingScoreMatching(time_score=0.1, cross_entropy=0.1),
        lambda: {"energy": NoiseConditional.build((1, 2, 2), DenseField((1, 2, 2), (8,), 3, 2), (0.05, 5.0), 2)},
    ),
    (
        Denoising(cross_entropy=0.1),
        lambda: {"energy": NoiseConditional.build((1, 2, 2), DenseField((1, 2, 2), (8,), 3, 2), (0.05, 5.0), 2)},
    ),
    (
        Distillation(time_score=0.1, cross_entropy=0.1),
        lambda: {"energy": NoiseConditional.build((1, 2, 2), DenseField((1, 2, 2), (8,), 3, 2), (0.05, 5.0), 2)},
    ),
    (
        LevelClassification(DenoisingScoreMatching(cross_entropy=0.1)),
        lambda: {"energy": NoiseConditional.build((1, 2, 2), DenseField((1, 2, 2), (8,), 3, 2), (0.05, 5.0), 2)},
    ),
    (
        RecoveryLikelihood(steps=3, cross_entropy=0.1),
        lambda: {"energy": NoiseConditional.build((1, 2, 2), DenseField((1, 2, 2), (8,), 3, 2), (0.05, 5.0), 2)},
    ),
    (
        Elbo(),
        lambda: {"generator": dense_generator(2, (8,), (1, 2, 2)), "encoder": dense_encoder((1, 2, 2), (8,), 2)},
    ),
    (
        RegularizedAutoencoder(),
        lambda: {"generator": dense_generator(2, (8,), (1, 2, 2)), "encoder": dense_encoder((1, 2, 2), (8,), 2)},
    ),
    (
        CrossEntropy(shift=1, mirror=True),
        lambda: {"judge": nn.Sequential(nn.Flatten(), nn.Linear(4, 2))},
    ),
)

__all__ = [
    "OBJECTIVES",
    "RegularizedAutoencoder",
    "Batch",
    "ContrastiveDivergence",
    "Coupled",
    "CrossEntropy",
    "Denoising",
    "DenoisingScoreMatching",
    "Distillation",
    "Elbo",
    "EnergyDiscrepancy",
    "EnergyMatching",
    "EquilibriumMatching",
    "JointEnergy",
    "LevelClassification",
    "Objective",
    "RecoveryLikelihood",
    "Refreshing",
    "Result",
    "Vital",
]
