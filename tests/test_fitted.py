"""What is fitted when a training ends is in the run and in exported files, and a score is the recipe's choice."""

import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from energybased import EnergyModel, Gaussian, Network, ReplayBuffer, StandardNormal, Tilted, UserError, load, train
from energybased.cli import main
from energybased.conditions import Classes
from energybased.data import load_data
from energybased.energies.gaussian import RIDGE
from energybased.evaluation import Subject
from energybased.evaluation.metrics.detection import detectors
from energybased.models.density_of_states import DensityOfStates
from energybased.models.file import digest
from energybased.models.fitted import Fitted
from energybased.models.scores import COPIES, SCORES, possible_scores, with_score
from energybased.recipes import Dense, JointRecipe, digits
from energybased.runs.evaluate import subject_of
from energybased.runs.load import recipe_of
from energybased.runs.train import resume

SMALL = {"steps": 6, "checkpoint_every": 3, "batch_size": 16, "network": Dense((8,))}
BUFFER = ReplayBuffer(capacity=160, by_class=True)
TYPICAL = "typicality of noisy copies"
NOISE = 0.2


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(digits(**SMALL, buffer=BUFFER, score_by=TYPICAL), out=tmp_path_factory.mktemp("runs") / "a")


def pictures(n=12):
    return torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def test_a_run_and_an_exported_file_have_what_was_fitted(run, tmp_path):
    model, x = load(run.path), pictures()
    assert len(model.fitted.class_terms) == 10 and abs(sum(model.fitted.class_terms)) < 1e-6
    assert model.fitted.class_terms != (0.0,) * 10 and math.isfinite(model.fitted.mean_energy)
    terms = torch.tensor(model.fitted.class_terms)
    each = torch.stack([model.given(y).energies(x) for y in range(10)], 1)
    torch.testing.assert_close(model.logits(x), terms - each)
    torch.testing.assert_close(model.energies(x), -(terms - each).logsumexp(1))
    model.export(tmp_path / "model.safetensors")
    twin = load(tmp_path / "model.safetensors")
    assert twin.fitted == model.fitted and twin.score_by == TYPICAL
    scores = [m.score(x, generator=torch.Generator().manual_seed(0)) for m in (model, twin)]
    assert torch.equal(*scores)
    assert model.given(3).fitted is None
    torch.testing.assert_close(model.given(3).score(x), model.given(3).energies(x))
    with pytest.raises(UserError, match="needs the mean energy of training examples"):
        replace(model, fitted=None).score(x)
    assert subject_of(run).model.fitted == model.fitted


def test_what_was_fitted_belongs_to_its_weights(run, tmp_path):
    assert load(run.path, step=3).fitted is None
    whole = (run.path / "fitted.json").read_bytes()
    shutil.copytree(run.path, tmp_path / "b")
    shutil.rmtree(tmp_path / "b" / "checkpoints" / "00000006")
    assert load(tmp_path / "b").fitted is None  # the weights are others
    again = resume(tmp_path / "b")
    assert (again.path / "fitted.json").read_bytes() == whole
    (again.path / "fitted.json").unlink()  # as in a run of an earlier version
    assert load(again.path).fitted is None
    assert subject_of(again).model.fitted == load(run.path).fitted
    assert (resume(again.path).path / "fitted.json").read_bytes() == whole
    (again.path / "fitted.json").write_text("[]")
    with pytest.raises(UserError, match="is not as it was written: remove it"):
        load(again.path)


def test_verbs_say_that_classes_are_not_weighed(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(run.path, "b")
    np.save("x.npy", pictures(2).numpy())
    for present in (True, False):
        if not present:
            (tmp_path / "b" / "fitted.json").unlink()
        assert main(["classify", "b", "x.npy"]) == 0
        assert ("ebm train --resume b" in capsys.readouterr().err) != present


def test_earlier_formats_are_read(run, tmp_path):
    """A format is read by the version that is in its header. Format 3 has nothing fitted; in 4, a name is another."""
    file, model = tmp_path / "model.safetensors", load(run.path)
    model.export(file)
    with safe_open(file, "pt") as stored:
        header, weights = stored.metadata(), {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    header.pop("sha256")
    third = {name: value for name, value in header.items() if name != "fitted"} | {"format_version": "3"}
    fourth = header | {"fitted": header["fitted"].replace("mean_energy", "usual"), "format_version": "4"}
    assert fourth["fitted"] != header["fitted"]
    for old, fitted in ((third, None), (fourth, model.fitted)):
        save_file(weights, file, metadata={**old, "sha256": digest(old, weights)})
        assert load(file).fitted == fitted and load(file).score_by == TYPICAL
    shutil.copytree(run.path, tmp_path / "b")
    facts = tmp_path / "b" / "fitted.json"
    facts.write_text(facts.read_text().replace("mean_energy", "usual"))
    assert load(tmp_path / "b").fitted == model.fitted


class Slope(torch.nn.Module):
    def forward(self, x, y=None):
        return 2.0 * x.flatten(1).sum(1)


def test_every_score_is_a_choice(rng):
    """The energies of a tilted Gaussian, and their mean over noisy copies, which is known for a normal."""
    data = load_data("digits")
    model = EnergyModel(Tilted.fit(data.values(data.train), NOISE, Slope()), data.spec, noise=NOISE)
    x = data.values(data.test)[:30]
    assert possible_scores(model) == [by for by in SCORES if not SCORES[by].levels]
    found = {by: with_score(model, by, data, rng) for by in possible_scores(model)}
    seed = lambda: torch.Generator().manual_seed(0)  # noqa: E731
    scores = {by: m.score(x, generator=seed()) for by, m in found.items()}
    mean = found["typicality"].fitted.mean_energy
    torch.testing.assert_close(scores["typicality"], (scores["energy"] - mean).abs())
    assert mean == pytest.approx(float(model.energies(data.values(data.train)).mean()), rel=1e-4)
    copies = found[TYPICAL].fitted.mean_energy
    torch.testing.assert_close(scores[TYPICAL], (scores["noisy copies"] - copies).abs())
    base = model.energy.base
    torch.testing.assert_close(scores["ratio to its base"], Slope()(x - base.mean.view(1, 8, 8)), rtol=1e-3, atol=1e-3)
    without = ["energy", "gradient norm", "typicality", "density of states"]
    assert possible_scores(EnergyModel(StandardNormal(64), data.spec)) == without
    normal = EnergyModel(Network(lambda v: StandardNormal(64)(v.flatten(1))), data.spec, noise=NOISE)
    far = with_score(normal, "noisy copies", data, rng).score(x, generator=seed())
    # |v|^2 / 2 of a copy has the mean |x|^2 / 2 + 64 noise^2 / 2, and the variance noise^2 |x|^2 + 64 noise^4 / 2.
    squares = x.flatten(1).square().sum(1)
    error = (NOISE**2 * squares + 64 * NOISE**4 / 2).div(COPIES).sqrt()
    assert bool(((far - squares / 2 - 64 * NOISE**2 / 2).abs() < 5 * error).all())


def test_the_density_of_states_is_that_of_the_energies_of_all_classes(run, tmp_path):
    model, data, x = load(run.path), load_data("digits"), pictures()
    chosen = with_score(model, "density of states", data, torch.Generator().manual_seed(0))
    each = -torch.stack([model.given(y).energies(x) for y in range(10)], 1)
    terms = torch.tensor(model.fitted.class_terms)
    statistics = torch.cat([-(each + terms), model.energy.base(x.flatten(1))[:, None]], 1)
    torch.testing.assert_close(
        chosen.score(x), chosen.fitted.density_of_states.energy(statistics), rtol=1e-4, atol=1e-3
    )
    chosen.export(tmp_path / "model.safetensors")
    assert load(tmp_path / "model.safetensors").fitted == chosen.fitted
    with pytest.raises(UserError, match="needs the density of states of training examples"):
        replace(model, score_by="density of states").score(x)


def test_a_density_of_states_of_normal_statistics(rng):
    """Of few examples it is one Gaussian, with their mean and covariance."""
    values = torch.randn(15, 2, generator=rng) @ torch.tensor([[2.0, 0.0], [1.0, 0.5]]) + 3
    found = DensityOfStates.fit(values, rng)
    covariance = torch.cov(values.T, correction=0) + 1e-6 * torch.eye(2)
    other = Gaussian(values.mean(0), covariance)
    differences = found.energy(values) - other(values)
    torch.testing.assert_close(differences, differences[:1].expand(15), rtol=1e-3, atol=1e-3)
    with pytest.raises(UserError, match="parts of different sizes"):
        replace(found, scale=(1.0,))
    with pytest.raises(UserError, match="positive definite"):
        replace(found, covariances=(((1.0, 2.0), (2.0, 1.0)),))
    with pytest.raises(UserError, match="parts of different sizes"):
        replace(found, weights=(), means=(), covariances=())
    for name in ("centre", "scale"):
        with pytest.raises(UserError, match="numbers that are not finite"):
            replace(found, **{name: (1.0, math.inf)})
    for width in (1, 3):
        with pytest.raises(UserError, match=f"the model has {width} statistics, but its density of states is one of 2"):
            found.energy(values[:, :1].expand(15, width))


def test_a_density_of_states_of_degenerate_statistics(rng):
    """A statistic that does not vary is not divided by a rounding error: its variance is the ridge of the mixture."""
    values = torch.stack([torch.randn(50, generator=rng), torch.full((50,), 0.1), torch.zeros(50)], 1)
    found = DensityOfStates.fit(values, rng)
    assert found.scale[1:] == (1.0, 1.0)
    inside, *outside = found.energy(torch.tensor([[0.0, 0.1, 0.0], [0.0, 0.2, 0.0], [0.0, 0.1, 0.1]])).tolist()
    assert outside == pytest.approx([inside + 0.1**2 / (2 * RIDGE)] * 2, rel=1e-4)
    with pytest.raises(UserError, match="needs two training examples, but there are 1"):
        DensityOfStates.fit(values[:1], rng)


def test_scores_of_a_diverged_model_say_so(rng):
    data = load_data("digits")
    lost = EnergyModel(Network(lambda v: v.flatten(1).sum(1) * math.nan), data.spec)
    chosen = with_score(lost, "density of states", data, rng)
    assert chosen.fitted.density_of_states is None
    with pytest.raises(UserError, match="an energy is not finite: the model has diverged"):
        chosen.score(pictures())


def test_what_was_fitted_to_another_model_is_refused(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "b")
    facts = tmp_path / "b" / "fitted.json"
    whole = facts.read_text()
    for found in ({"class_terms": [1.0]}, {"class_terms": [0.0] * 9}):
        facts.write_text(json.dumps({**json.loads(whole), "fitted": found}))
        with pytest.raises(UserError, match="class terms were fitted, but the model has 10 classes"):
            load(tmp_path / "b")
    facts.write_text(whole.replace("class_terms", "clas_terms"))
    with pytest.raises(UserError, match="is not as it was written: Fitted has no setting 'clas_terms'"):
        load(tmp_path / "b")


def test_noise_of_a_score_comes_from_the_generator(run):
    model, x = load(run.path), pictures()
    first, same = (model.score(x, generator=torch.Generator().manual_seed(0)) for _ in range(2))
    assert torch.equal(first, same) and not torch.equal(first, model.score(x))


def test_the_systems_own_row_is_the_recipes_choice():
    data = load_data("digits")
    model = EnergyModel(Tilted.fit(data.values(data.train), NOISE, Slope()), data.spec, noise=NOISE)
    chosen = with_score(model, TYPICAL, data, torch.Generator().manual_seed(0))
    found = detectors(Subject(chosen, data))
    assert f"the recipe's choice: {TYPICAL}" in found[""][1]
    assert {
        f"model ({by})" for by in possible_scores(chosen) if by != TYPICAL
    } <= found.keys() and f"model ({TYPICAL})" not in found


def test_classes_that_are_learned_have_no_terms(run):
    """JEM learns p(y | x) itself."""
    recipe = recipe_of(run)
    shared = {name: getattr(recipe, name) for name in ("data_noise", "batch_size", "network")}
    joint = JointRecipe(**shared, conditional=True)
    model = EnergyModel(Network(Slope()), load_data("digits").spec, conditions=(Classes(10),))
    assert joint.fitted(model, load_data("digits")) == Fitted()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"score_by": "enrgy"}, "score_by is one of energy, gradient norm"),
        ({"score_by": "noisy copies", "data_noise": 0.0, "base": "none"}, "needs data_noise > 0"),
        ({"score_by": "ratio to its base", "base": "none"}, "needs a base"),
    ],
)
def test_a_choice_that_a_recipe_cannot_make(changes, words):
    with pytest.raises(UserError, match=words):
        digits(**changes)
    with pytest.raises(UserError, match="score_by is one of"):
        replace(EnergyModel(StandardNormal(2), load_data("digits").spec), score_by="other")
