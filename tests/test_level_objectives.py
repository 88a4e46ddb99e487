"""Classification of noise levels and recovery likelihood, against densities that are known."""

import math
from dataclasses import replace

import pytest
import torch

from energybased import HMC, Langevin, StandardNormal, UserError
from energybased.energies.class_in_trunk import ClassInTrunk
from energybased.energies.noise_conditional import NoiseConditional
from energybased.objectives import Batch, DenoisingScoreMatching, LevelClassification, RecoveryLikelihood
from energybased.objectives.denoising import Denoising
from energybased.objectives.distillation import Distillation
from energybased.objectives.recovery_likelihood import InUnits
from energybased.recipes import read_recipe
from energybased.recipes.noise_conditional import NoiseConditionalRecipe

EVENT, LEVELS, SCALE = (1, 2, 2), (0.05, 5.0), 0.5


class Changed(torch.nn.Module):
    """A network that adds shift + slope log sigma + curvature |u|^2 to the energy, exact for N(mean, scale^2)."""

    def __init__(self, shift=0.0, slope=0.0, curvature=0.0):
        super().__init__()
        self.shift, self.slope, self.curvature = (
            torch.nn.Parameter(torch.tensor(v)) for v in (shift, slope, curvature)
        )

    def forward(self, u, log_sigma):
        factor = self.curvature * log_sigma.exp() / SCALE  # the head multiplies by scale / sigma
        return (factor.view(-1, 1, 1, 1) * u)[:, None], (self.shift + self.slope * log_sigma)[:, None]


def changed(**changes):
    return NoiseConditional(Changed(**changes), torch.zeros(EVENT), torch.tensor(SCALE), LEVELS)


def slopes(objective, energy, rng, draws=40, rows=500):
    """Means and standard errors of the derivatives of the loss with respect to the numbers of the network."""
    parameters = list(energy.parameters())
    found = []
    for _ in range(draws):
        x = SCALE * torch.randn(rows, *EVENT, generator=rng)
        loss = objective(energy, x, rng)
        found.append(torch.stack([torch.zeros(()) if g is None else g for g in gradients(loss, parameters)]))
    stacked = torch.stack(found)
    return stacked.mean(0), stacked.std(0) / math.sqrt(draws)


def gradients(loss, parameters):
    return torch.autograd.grad(loss, parameters, allow_unused=True)


def classified(energy, x, rng):
    return LevelClassification(DenoisingScoreMatching(-1.0, 1.0)).entropy(energy, x, rng)


def test_levels_are_told_apart_best_by_the_exact_normalised_energies(rng):
    """The derivatives vanish there, to five standard errors, and lead back where energies are changed."""
    mean, error = slopes(classified, changed(), rng)
    assert (mean.abs() < 5 * error).all()
    for name, position in (("shift", 0), ("slope", 1), ("curvature", 2)):
        for sign in (-1.0, 1.0):
            mean, error = slopes(classified, changed(**{name: sign * 0.2}), rng)
            assert sign * mean[position] > 5 * error[position]


def test_the_energy_is_summed_over_classes(rng):
    """Two classes with the numbers log 2 have the energy of one without classes."""

    class Two(torch.nn.Module):
        def forward(self, u, log_sigma):
            return torch.zeros(len(u), 3, *EVENT), torch.full((len(u), 2), math.log(2))

    two = NoiseConditional(Two(), torch.zeros(EVENT), torch.tensor(SCALE), LEVELS, 2)
    x = torch.randn(50, *EVENT, generator=rng)
    losses = [classified(energy, x, torch.Generator().manual_seed(1)) for energy in (two, changed())]
    torch.testing.assert_close(*losses)


class Trunk(torch.nn.Module):
    """A field and a number that depend on the class, and logits of two classes."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.full((3,), 0.1))

    def forward(self, u, log_sigma, y):
        number = self.weight[y][:, None]
        return (number.view(-1, 1, 1, 1) * u)[:, None], number * torch.tensor([1.0, 1.0, -1.0])


@pytest.mark.parametrize(
    "objective", [LevelClassification(), RecoveryLikelihood(steps=2, cross_entropy=0.1)], ids=lambda o: type(o).__name__
)
def test_a_network_that_sees_the_class_is_trained_with_it_and_without(objective, rng):
    """Its third weight is that of no class. The levels are told by it alone, and a tenth of the chains have it."""
    energy = ClassInTrunk(Trunk(), torch.zeros(EVENT), torch.tensor(SCALE), LEVELS, 2)
    batch = Batch(SCALE * torch.randn(100, *EVENT, generator=rng), torch.arange(100) % 2)
    result = objective.step({"energy": energy}, objective.init({"energy": energy}, batch, rng), batch, rng)
    (gradient,) = torch.autograd.grad(result.losses["energy"], list(energy.parameters()))
    assert (gradient.abs() > 1e-4).all()
    if isinstance(objective, LevelClassification):
        (gradient,) = torch.autograd.grad(objective.entropy(energy, batch.x, rng), list(energy.parameters()))
        assert torch.equal(gradient != 0, torch.tensor([False, False, True]))


def test_the_levels_of_an_example_have_the_distribution_of_the_matching(rng):
    """Each level and their differences, to five standard errors of 20,000 draws."""
    n, matching = 20_000, DenoisingScoreMatching(-0.5, 0.3)
    objective = LevelClassification(matching, spread=0.5)
    drawn = objective.draw(changed(), torch.zeros(n, *EVENT), rng).log()
    assert drawn.shape == (n, 4)
    assert (drawn.mean(0) + 0.5).abs().max() < 5 * 0.3 / math.sqrt(n)
    assert (drawn.std(0) / 0.3 - 1).abs().max() < 5 / math.sqrt(2 * n)
    apart = (drawn[:, 0] - drawn[:, 3]).std() / math.sqrt(2)
    assert abs(apart / (0.5 / math.sqrt(8)) - 1) < 5 / math.sqrt(2 * n)


def recovered(energy, x, rng):
    return RecoveryLikelihood(HMC(0.6, 4), steps=10).step({"energy": energy}, {}, Batch(x), rng).losses["energy"]


def test_what_is_recovered_is_like_the_data_under_the_exact_energy(rng):
    """The chains are exact, so its derivative vanishes, to five standard errors; those of constants always do."""
    mean, error = slopes(recovered, changed(), rng, draws=20)
    assert mean[2].abs() < 5 * error[2]
    assert mean[:2].abs().max() < 1e-6
    for sign in (-1.0, 1.0):
        mean, error = slopes(recovered, changed(curvature=sign * 0.2), rng, draws=20)
        assert sign * mean[2] > 5 * error[2]


def test_a_damaged_energy_recovers(rng):
    energy = changed(curvature=0.5)
    optimizer = torch.optim.Adam(energy.parameters(), 0.05)
    for _ in range(60):
        optimizer.zero_grad()
        x = SCALE * torch.randn(500, *EVENT, generator=rng)
        RecoveryLikelihood().step({"energy": energy}, {}, Batch(x), rng).losses["energy"].backward()
        optimizer.step()
    assert energy.network.curvature.abs() < 0.1


def test_units_are_those_of_rows(rng):
    energy, z, unit = StandardNormal(2), torch.randn(3, 2, generator=rng), torch.tensor([0.5, 1.0, 3.0])
    scaled = InUnits(energy, unit)
    value, gradient = scaled.value_and_grad(z)
    torch.testing.assert_close(value, energy(unit[:, None] * z))
    torch.testing.assert_close(gradient, unit[:, None] ** 2 * z)
    torch.testing.assert_close(scaled.select([2, 0])(z[[2, 0]]), value[[2, 0]])


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: LevelClassification(weight=0.0), "weight"),
        (lambda: LevelClassification(levels=1), "at least two levels"),
        (lambda: LevelClassification(spread=math.inf), "spread"),
        (lambda: RecoveryLikelihood(steps=0), "steps"),
        (lambda: RecoveryLikelihood(levels=0), "levels"),
        (lambda: RecoveryLikelihood(cross_entropy=-1.0), "cross_entropy"),
        (lambda: RecoveryLikelihood(Langevin(0.1, 0.1, bounds=(0.0, 1.0))), "no bounds"),
        (lambda: NoiseConditionalRecipe(objective=RecoveryLikelihood(), denoiser=0.5), "denoiser must be 0"),
    ],
)
def test_settings_out_of_range_are_refused(build, words):
    with pytest.raises(UserError, match=words):
        build()


def test_labels_that_are_missing_are_named(rng):
    energy = NoiseConditional.build(EVENT, torch.nn.Identity(), LEVELS, 2)
    with pytest.raises(UserError, match="no class labels"):
        RecoveryLikelihood().step({"energy": energy}, {}, Batch(torch.zeros(2, *EVENT)), rng)
    with pytest.raises(UserError, match="levels of noise"):
        RecoveryLikelihood().step({"energy": StandardNormal(2)}, {}, Batch(torch.zeros(2, 2)), rng)


def test_recipes_keep_their_objective():
    matching = DenoisingScoreMatching(-1.0, 1.0, cross_entropy=0.1)
    for objective in (matching, LevelClassification(matching, 0.5), RecoveryLikelihood(HMC(0.5, 3))):
        recipe = NoiseConditionalRecipe(objective=objective)
        assert read_recipe(recipe.settings()) == recipe
        (phase,) = recipe.phases(None)
        assert phase.objective == objective


def test_a_denoiser_is_classified_as_well():
    """The levels are compared in both phases, and the score matching is that of each."""
    objective = LevelClassification(DenoisingScoreMatching(-1.0, 0.7, time_score=0.1), 0.5)
    first, second = NoiseConditionalRecipe(objective=objective, denoiser=0.5).phases(None)
    assert first.objective == replace(objective, matching=Denoising(-1.0, 0.7))
    assert second.objective == replace(objective, matching=Distillation(-1.0, 0.7, time_score=0.1))
