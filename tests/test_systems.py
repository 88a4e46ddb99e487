"""What latent models are compared with: each against a case whose answer is known."""

import math
from dataclasses import replace

import pytest
import torch

from energybased import StandardNormal, UserError
from energybased.data import load_data
from energybased.energies import GaussianMixture
from energybased.latent import ExPostMixture, LatentDiscrepancy, LatentElbo, Posterior, ShortRun, StagedPrior, Telescope
from energybased.networks import BatchedMLP, LatentDecoder, PointEncoder, dense_encoder, dense_generator
from energybased.objectives import Batch, EnergyDiscrepancy, RegularizedAutoencoder
from energybased.recipes import RaeRecipe, TwoStageRecipe, find_recipe
from energybased.recipes.systems import system
from energybased.runs.load import load
from energybased.runs.train import train


class Known(torch.nn.Module):
    """An encoder that knows z: x itself."""

    def sample(self, x, rng):
        return x


def test_a_mixture_of_the_encoders_draws_becomes_the_base(rng):
    """The density that was drawn from is found, but for what 4,000 samples leave open."""
    means, n = torch.tensor([[-3.0, 0.0], [3.0, 1.0]]), 4000
    covariances = torch.tensor([[[1.0, 0.6], [0.6, 0.8]], [[0.5, -0.2], [-0.2, 0.7]]])
    truth = GaussianMixture(means, covariances, torch.tensor([1.0, 3.0]))
    base = GaussianMixture(torch.zeros(2, 2), torch.eye(2).expand(2, 2, 2))
    parts = {"prior": base, "generator": torch.nn.Identity(), "encoder": Known()}
    mixed = ExPostMixture(pool=n)
    state, fits = mixed.init(parts, Batch(torch.zeros(1, 2)), rng), []
    for _ in range(n // 1000 + 1):  # the last batch finds the pool full, and changes nothing
        state = mixed.step(parts, state, Batch(truth.sample(1000, rng)), rng).state
        fits.append(int(state["fitted"]))
    assert fits == [1000, 2000, 2000, n, n]
    x = truth.sample(n, rng)
    divergence = truth.log_prob(x) - base.log_prob(x)
    # Wilks: 2 n KL of a fit by maximum likelihood is chi-square of its 11 parameters; its mean and four deviations.
    assert float(divergence.mean()) < (11 + 4 * math.sqrt(22)) / (2 * n) + 4 * float(divergence.std()) / math.sqrt(n)


def test_energy_discrepancy_of_the_prior_is_that_of_its_samples(rng):
    """The objective has a test of its own; here what is told from what."""
    torch.manual_seed(0)
    prior = StagedPrior(StandardNormal(2), BatchedMLP(2, (8,), 1))
    torch.nn.init.normal_(prior.logits.weights[-1])
    x, discrepancy = torch.randn(6, 2, generator=rng), EnergyDiscrepancy(particles=3)
    parts = {"prior": prior, "generator": torch.nn.Identity(), "encoder": Known()}
    objective = LatentDiscrepancy(discrepancy=discrepancy)
    state = objective.init(parts, Batch(x), rng)
    assert prior.stages
    losses = [
        objective.step(parts, state, Batch(x), torch.Generator().manual_seed(1)).losses["prior"],
        discrepancy.step({"energy": prior}, {}, Batch(x), torch.Generator().manual_seed(1)).losses["energy"],
    ]
    assert torch.equal(*losses) and losses[0].requires_grad


def test_the_loss_of_a_second_autoencoder(rng):
    """Against torch's own densities: -E log N(z; h(u), s^2) + KL(q(u | z), N(0, I)), but for dim/2 log 2 pi."""
    torch.manual_seed(0)
    upper, above = LatentDecoder(3, (16,)), dense_encoder((3,), (16,), 3)
    torch.nn.init.constant_(upper.log_std, -0.4)
    z = torch.randn(5, 3, generator=rng)
    parts = {"latent_decoder": upper, "latent_encoder": above, "encoder": Known()}
    loss = LatentElbo().step(parts, {}, Batch(z), torch.Generator().manual_seed(1)).losses["latent_decoder"]
    mean, log_std = above(z)
    u = above.around(mean, log_std, torch.Generator().manual_seed(1))
    reproduced = torch.distributions.Normal(upper(u), upper.log_std.exp()).log_prob(z).sum(1)
    far = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, log_std.exp()), torch.distributions.Normal(0.0, 1.0)
    ).sum(1)
    torch.testing.assert_close(loss, (far - reproduced).mean() - 1.5 * math.log(2 * math.pi))


def test_the_loss_of_a_regularised_autoencoder(rng):
    torch.manual_seed(0)
    generator, encoder = dense_generator(2, (8,), (1, 2, 2)), PointEncoder(dense_encoder((1, 2, 2), (8,), 2).trunk)
    x = torch.rand(6, 1, 2, 2, generator=rng)
    parts = {"generator": generator, "encoder": encoder}
    loss = RegularizedAutoencoder(0.5, decay=0.1).step(parts, {}, Batch(x), rng).losses["encoder"]
    z = encoder.trunk(x)[:, :2]
    assert torch.equal(encoder.sample(x, rng), z) and torch.equal(encoder.sample(x, rng), z)
    weights = sum(w.square().sum() for w in generator.parameters())
    expected = 2 * (generator(z) - x).square().sum() / 6 + z.square().sum() / 12 + 0.1 * weights
    torch.testing.assert_close(loss, expected)


def small(name):
    recipe = replace(find_recipe("digits-latent"), steps=40, dim=3, ratio=(8,), batch_size=20)
    return system(name, recipe)


def test_both_stages_reproduce_as_the_first_does(tmp_path):
    """(u, e) holds z whole: what is inferred and made again has not been through the second encoder's loss."""
    recipe = small("two-stage")
    assert isinstance(recipe, TwoStageRecipe)
    model = load(train(recipe, out=tmp_path / "a").path)
    x = recipe.load_data().values(recipe.load_data().test, slice(20))
    z = model.encoder.lower.sample(x, torch.Generator().manual_seed(0))
    made = model.generate(model.encoder.sample(x, torch.Generator().manual_seed(0)))
    torch.testing.assert_close(made, model.generator.lower(z), atol=1e-5, rtol=1e-4)
    assert model.dim == 6 and model.sample(3).shape == (3, 1, 8, 8) and model.score(x).isfinite().all()


def test_a_second_autoencoder_is_averaged_from_where_it_begins():
    """What it began with is no part of its weights, and it learns as fast as any prior."""
    phase = small("two-stage").phases(load_data("digits"))[1]
    assert {"latent_decoder", "latent_encoder"} <= set(phase.restart_from_ema)
    assert phase.rates["latent_decoder"] == phase.rates["latent_encoder"] == 5


@pytest.mark.parametrize("batch", [1, 20, 5000])
def test_an_autoencoder_has_its_mixture(batch, tmp_path):
    """Its moments are those of the encoder's z over what it was fitted to, which are training examples."""
    recipe = replace(small("rae"), batch_size=batch, components=2)
    assert isinstance(recipe, RaeRecipe)
    model = load(train(recipe, out=tmp_path / "a").path)
    base = model.prior
    z = model.sample_posterior(recipe.load_data().values(recipe.load_data().train))
    mean = base.log_weights.exp() @ base.means
    many = len(z) if batch > len(z) else batch  # one batch is the least that is in a fit
    assert ((mean - z.mean(0)).abs() < 4 * z.std(0) / math.sqrt(many)).all()
    assert torch.equal(
        z[:20],
        model.sample_posterior(
            recipe.load_data().values(recipe.load_data().train, slice(20)), generator=torch.Generator().manual_seed(1)
        ),
    )


def test_bad_settings_are_named():
    for make, words in (
        (lambda: Telescope(magnitude=0.5), "magnitude"),
        (lambda: ExPostMixture(pool=1), "pool"),
        (lambda: RegularizedAutoencoder(sigma=0.0), "sigma"),
        (lambda: RegularizedAutoencoder(decay=-1.0), "decay"),
        (lambda: replace(small("rae"), components=0), "components"),
        (lambda: replace(small("rae"), encoder=False), "encoder"),
        (lambda: replace(small("rae"), posterior=Posterior(steps=3)), "steps"),
        (lambda: replace(small("vae"), magnitude=3.0), "magnitude"),
        *((lambda name=name: replace(small(name), stages=3), "stages") for name in ("vae", "rae", "lebm", "two-stage")),
        (lambda: small("nosuch"), "no system"),
        (lambda: ShortRun(engine="auto"), "engine"),
        (lambda: GaussianMixture(torch.zeros(1, 2), torch.tensor([[[1.0, 5.0], [0.0, 1.0]]])), "symmetric"),
        (lambda: replace(small("two-stage"), first_fraction=1.0), "first"),
        (lambda: GaussianMixture(torch.zeros(2, 2), torch.eye(2)), "covariances"),
        (lambda: GaussianMixture(torch.zeros(1, 2), -torch.eye(2)[None]), "positive definite"),
        (lambda: GaussianMixture(torch.zeros(1, 2), torch.eye(2)[None], torch.ones(2)), "weights"),
    ):
        with pytest.raises(UserError, match=words):
            make()
