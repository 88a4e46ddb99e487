"""From a recipe to a model and back: classes in turn, one class, and the sum over classes."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from energybased import ReplayBuffer, UserError, evaluate, load, train
from energybased.cli import main
from energybased.evaluation import EXTRACTORS, METRICS
from energybased.evaluation.enough import require_enough
from energybased.evaluation.metrics.frechet_buffer import buffer_samples
from energybased.recipes import Dense, digits
from energybased.runs.evaluate import is_default, read_rows, subject_of
from energybased.runs.load import load_history, recipe_of
from energybased.runs.train import resume
from energybased.training import Run, Settings
from energybased.training.checkpoint import load_group, objectives

SMALL = {"steps": 10, "batch_size": 16, "network": Dense((8,)), "buffer": ReplayBuffer(capacity=165, by_class=True)}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(digits(**SMALL), out=tmp_path_factory.mktemp("runs") / "a")


def test_a_conditional_model_takes_its_classes_in_turn(run):
    model, x = load(run.path), torch.rand(20, 1, 8, 8)
    assert model.classes == 10
    assert torch.equal(model.cycle_classes(20)(x), model.energy(x, torch.arange(20) % 10))
    three = model.given(3)
    assert torch.equal(model.given(np.int64(3)).score(x), three.score(x))
    assert three.classes == 0 and torch.equal(three.score(x), model.energy(x, torch.full((20,), 3)))
    y = torch.arange(20) // 2
    seed = lambda: torch.Generator().manual_seed(0)  # noqa: E731
    mine, one = (model.given(c).run_chains(x, steps=5, generator=seed()).x[3] for c in (y, int(y[3])))
    assert torch.equal(mine, one)
    terms = torch.tensor(model.fitted.class_terms)
    expected = -torch.stack([t - model.energy(x, torch.full((20,), c)) for c, t in enumerate(terms)]).logsumexp(0)
    torch.testing.assert_close(model.score(x), expected)


@pytest.mark.parametrize("y", [10, -1, torch.tensor([0, 10])])
def test_a_class_that_is_not_there(run, y):
    with pytest.raises(UserError, match=r"0 \.\.\. 9"):
        load(run.path).given(y)


@pytest.mark.parametrize(
    "y", [3.0, True, torch.tensor([True]), torch.tensor([0.5]), torch.tensor([], dtype=torch.long)], ids=str
)
def test_a_class_that_is_no_whole_number(run, y):
    with pytest.raises(UserError, match="whole number"):
        load(run.path).given(y)


def test_bytes_have_no_score(run):
    with pytest.raises(UserError, match="floating-point"):
        load(run.path).score(torch.zeros(2, 1, 8, 8, dtype=torch.uint8))


def test_a_model_is_bound_once(run):
    with pytest.raises(UserError, match="given already"):
        load(run.path).given(1).given(2)


def test_chains_of_the_buffer_come_with_the_classes_in_turn(run):
    x = objectives(run.newest_checkpoint())[0]["x"]
    assert len(x) == 170  # as many for each class, 165 at the least
    subject = subject_of(run)
    drawn, model = buffer_samples(subject, 23), subject.model
    assert len(drawn) == 23
    for i, picture in enumerate(drawn):
        own = x[i % 10 :: 10]
        clean = model.given(torch.full((len(own),), i % 10)).denoise(own)
        assert (clean - picture).flatten(1).abs().amax(1).min() < 1e-5


def test_a_run_that_never_began_leaves_its_name_free(tmp_path, monkeypatch):
    def broken(self):
        raise UserError("nothing works")

    monkeypatch.setattr("energybased.training.loop.Loop._enter_phase", broken)
    with pytest.raises(UserError, match="nothing works"):
        train(digits(**SMALL), out=tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_parts_of_a_batch_draw_what_the_whole_draws(run, monkeypatch):
    model = load(run.path)
    seed = lambda: torch.Generator().manual_seed(0)  # noqa: E731
    whole = model.sample(30, steps=5, generator=seed())
    score = model.score(whole)
    monkeypatch.setattr("energybased.models.model.CHUNK", 7)
    torch.testing.assert_close(model.sample(30, steps=5, generator=seed()), whole)
    torch.testing.assert_close(model.score(whole), score)


def test_a_run_is_measured_in_python(run):
    first = evaluate(run.path, metrics="ood")
    assert {row.metric for row in first} >= {"auroc_noise", "auroc_inverted", "auroc_flipped"}
    both = evaluate(run, metrics=["joint_energy_distance"])
    assert {row.measured_by for row in both} == {"ood", "joint_energy_distance"}
    assert [row.json() for row in both] == [row.json() for row in read_rows(run)]
    with pytest.raises(UserError, match="energy_distance needs real numbers"):
        evaluate(run.path, metrics="energy_distance")
    with pytest.raises(UserError, match="did you mean 'ood'"):
        evaluate(run.path, metrics="odd")


class Wide:
    """As many features as EfficientNet-Lite0 has, and none of its cost."""

    name, digest, width = "wide", "wide", 1280


class Meagre:
    """A metric that is asked for more than there is."""

    needs = ()

    def measure(self, subject):
        require_enough("meagre", 7, 6)
        yield


def test_too_few_examples_for_a_metric(run, monkeypatch, caplog):
    monkeypatch.setitem(EXTRACTORS, "lite0", lambda weights, device: Wide())
    words = "needs at least 1281 examples on each side, but there are 500"
    with pytest.raises(UserError, match=f"in the features of .* {words}"):
        evaluate(run, metrics="fd_lite0")
    for name in list(METRICS):
        monkeypatch.delitem(METRICS, name)
    monkeypatch.setitem(METRICS, "meagre", Meagre())
    with caplog.at_level("INFO"):
        assert all(row.measured_by != "meagre" for row in evaluate(run))
    assert "meagre needs at least 7 examples" in caplog.text


def test_what_is_measured_without_being_asked_for(run, tmp_path):
    (tmp_path / "weights.pth").write_text("nothing")
    plain = subject_of(run)
    given = replace(plain, inception=tmp_path / "weights.pth")
    assert is_default(METRICS["kd"], plain) and not is_default(METRICS["kd_lite0"], plain)
    named = {name for name, metric in METRICS.items() if is_default(metric, given) and not is_default(metric, plain)}
    assert named == {name for name in METRICS if name.endswith("_inception")} and len(named) == 5
    with pytest.raises(UserError, match="is no file of weights"):
        evaluate(run, metrics="kd_inception", subject=given)
    with pytest.raises(UserError, match="is no file of weights"):  # before anything is measured
        subject_of(run, inception=tmp_path / "weights.pth")
    with pytest.raises(UserError, match="there is no file"):
        subject_of(run, inception=tmp_path / "others.pth")


def test_a_metric_names_the_extra_that_it_needs(run, monkeypatch):
    monkeypatch.setattr("energybased.evaluation.extractors.lite.NETWORK", "efficientnet_that_is_not_there")
    with pytest.raises(UserError, match=r"kd_lite0 needs the extra for .*pip install 'energybased\[features\]'"):
        evaluate(run, metrics="kd_lite0")


def test_a_report_needs_the_data_that_the_run_began_with(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    np.savez("digits.npz", x=rng.random((40, 1, 8, 8), dtype=np.float32), y=np.arange(40) % 4)
    train(digits(**{**SMALL, "data": "digits.npz"}), out="runs/a")
    assert main(["report", "runs/a"]) == 0
    assert "fd" not in {row.metric for row in read_rows(Run.open("runs/a"))}  # the judge of scikit-learn's is not used
    np.savez("digits.npz", x=rng.random((40, 1, 8, 8), dtype=np.float32), y=np.arange(40) % 4)
    assert main(["report", "runs/a"]) == 2 and "are not those the run began with" in capsys.readouterr().err


def test_parts_beside_a_recipe_are_refused(run, tmp_path):
    """What would be ignored."""
    for ask, words in (
        (lambda: train(digits(**SMALL), out=tmp_path / "a", settings=Settings()), "not both"),
        (lambda: train("digits", out=tmp_path / "a"), "energybased.recipes"),
        (lambda: resume(run.path, steps=50), "path alone"),
        (lambda: load(run.path, energy=torch.nn.Linear(2, 1)), "its own network"),
        (lambda: load(run.path).score(torch.rand(1, 1, 9, 9)), "x must be"),
        (lambda: load(run.path).score(torch.full((1, 1, 8, 8), torch.nan)), "finite"),
    ):
        with pytest.raises(UserError, match=words):
            ask()


def test_an_unconditional_digits_run(tmp_path):
    run = train(digits(**{**SMALL, "conditional": False}), out=tmp_path / "a")
    model, x = load(run.path), torch.rand(3, 1, 8, 8)
    assert model.classes == 0 and torch.equal(model.score(x), model.energy(x))
    assert resume(run.path).path == run.path
    with pytest.raises(UserError, match="not conditional"):
        model.given(3)


def test_the_last_hundredths_of_a_training_are_kept(tmp_path):
    """Of 100 updates, the history of three has the weights after 98, 99 and 100 updates: not their averages."""
    quick = {"network": Dense((4,)), "batch_size": 8, "history": 3, "checkpoint_every": 99}
    run = train(digits(steps=100, **quick), out=tmp_path / "a")
    kept = sorted(file.name for file in (run.path / "history").iterdir())
    assert kept == ["098.safetensors", "099.safetensors", "100.safetensors"]
    states = [model.energy.state_dict() for model in load_history(run, recipe_of(run))]
    middle, last = (load_group(run.checkpoint(step), "model") for step in (99, 100))
    for state, weights in zip(states[1:], (middle, last), strict=True):
        assert all(torch.equal(value, weights[f"energy/{name}"]) for name, value in state.items())
    (run.path / "history" / "099.safetensors").write_bytes(b"x")
    with pytest.raises(UserError, match="cannot be read: it was cut short, or holds no weights"):
        subject_of(run)
