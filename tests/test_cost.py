"""How long an evaluation is expected to take, and what metrics share."""

import math
import re
from collections import Counter
from dataclasses import replace

import pytest

from energybased import UserError
from energybased.cli import main
from energybased.data.fingerprint import fingerprint
from energybased.evaluation import EXTRACTORS, METRICS, cost, mixtures
from energybased.evaluation.cost import TRIALS, Expected, expected, seconds_each
from energybased.evaluation.work import Work
from energybased.models import Judge
from energybased.recipes import digits, digits_latent
from energybased.runs.evaluate import evaluate, how_long, read_rows, subject_of
from energybased.runs.train import train


@pytest.fixture(scope="module")
def subjects(tmp_path_factory):
    """Runs of an energy and of a latent model after a few updates, and their subjects."""
    folder = tmp_path_factory.mktemp("cost")
    energy = digits(steps=2, batch_size=8)
    energy = replace(energy, network=replace(energy.network, hidden=(4,)), sampler=replace(energy.sampler, length=5))
    latent = digits_latent(steps=2, batch_size=8, persistent_chains=16)
    runs = [train(recipe, out=folder / recipe.recipe) for recipe in (energy, latent)]
    return [(run, subject_of(run)) for run in runs]


@pytest.fixture(autouse=True)
def small_mixtures(monkeypatch):
    for module, name, value in ((cost, "FITTED", 100), (mixtures, "COMPONENTS", (2,)), (mixtures, "PER_CLASS", (1,))):
        monkeypatch.setattr(module, name, value)


def test_shared_work_is_counted_once_and_an_earlier_evaluation_is_believed(monkeypatch):
    monkeypatch.setattr(cost, "seconds_each", lambda subject, what: {"chains": 0.5, "scores": 0.1}[what])
    draw = Work("chains", 100, shared=True)
    works = {"a": [draw], "b": [draw, Work("scores", 10)], "c": [], "d": [Work(None)]}
    found = expected(None, works)
    assert found.seconds == {"a": 0.0, "b": 1.0, "c": 0.0, cost.SHARED: 50.0} and found.unknown == ("d",)
    again = expected(None, works, {"a": 60.0, "d": 7.0})
    assert again.seconds == {"a": 60.0, "b": 1.0, "c": 0.0, "d": 7.0} and again.unknown == ()


def test_in_words():
    assert str(Expected({"a": 5.0})) == "this takes about 5 s"
    found = str(Expected({"a": 5.0, "b": 600.0, "c": 300.0}, ("d",)))
    assert found == "this takes about 15 min (b 10 min, c 5 min); not known beforehand: d"


def test_a_fit_to_fewer_examples_than_gaussians_is_timed(subjects, monkeypatch):
    monkeypatch.setattr(cost, "FITTED", cost.GAUSSIANS - 2)
    fit, done = cost.mixture(subjects[0][1])
    fit()
    assert done == (cost.GAUSSIANS - 2) ** 2


@pytest.mark.parametrize("place", [0, 1], ids=["energy", "latent"])
def test_every_metric_names_work_that_can_be_timed(subjects, place):
    subject, named = subjects[place][1], set()
    for metric in METRICS.values():
        if not subject.missing(metric.needs):
            for work in metric.work(subject) if hasattr(metric, "work") else ():
                assert work.what is None or work.what in {*TRIALS, *EXTRACTORS}
                assert 0 < work.times < math.inf or work.what is None
                named.add(work.what)
    assert (
        {"samples", "posteriors", "scores"} <= named
        if place
        else {"chains", "summed chains", "gradients", "scores", "mixture"} <= named
    )
    for what in named & set(TRIALS):
        assert 0 < seconds_each(subject, what) < 1


class Refusing:
    """A metric that cannot measure this model."""

    needs = ()

    def measure(self, subject):
        raise UserError("the chains have bounds")
        yield


def test_all_metrics_are_those_that_the_run_can_be_measured_by(subjects, monkeypatch, caplog):
    run, subject = subjects[0]
    subject.kept.update({f"extractor {name}": subject.judge for name in ("lite0", "lite1")})  # which takes no time
    assert how_long(run, ["all"], subject).unknown == ("log_likelihood",)
    few = {"histograms": METRICS["energy_histograms"], "mse": METRICS["mse"], "own": Refusing()}
    monkeypatch.setattr("energybased.runs.evaluate.METRICS", few)
    caplog.set_level("INFO")
    assert "histograms" in {row.measured_by for row in evaluate(run, ["all"], subject=subject)}
    assert "mse needs latent vectors (a run of a latent recipe); own: the chains have bounds" in caplog.text
    with pytest.raises(UserError, match="the chains have bounds"):
        evaluate(run, ["own"], subject=subject)


def test_samples_are_drawn_once_and_references_computed_once(subjects, monkeypatch, tmp_path):
    """By the metrics in the features of the judge together; and not again in a second evaluation, from the cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("energybased.evaluation.features.SLOW", 0.0)
    run, subject = subjects[0]
    seen, drawn, features, sample = Counter(), Counter(), Judge.features, type(subject.model).sample

    def counted(self, x):
        seen[fingerprint([x])] += 1
        return features(self, x)

    def counting(self, n, **options):
        drawn[n] += 1
        return sample(self, n, **options)

    monkeypatch.setattr(Judge, "features", counted)
    monkeypatch.setattr(type(subject.model), "sample", counting)
    names = ["fd", "fd_baselines", "kd", "is", "precision_recall", "confidence"]
    evaluate(run, names, subject=replace(subject, kept={}))
    assert drawn == {subject.count: 1} and max(seen.values()) == 1
    data = subject.data
    references = [subject.test, subject.train(subject.count), data.values(data.validation)]
    assert all(fingerprint([x]) in seen for x in references)
    seen.clear()
    evaluate(run, names, subject=subject_of(run))
    assert not any(fingerprint([x]) in seen for x in references)


def test_the_command_tells_beforehand(subjects, capsys):
    run = subjects[0][0]
    assert main(["evaluate", str(run.path), "--metrics", "calibration, energy_histograms"]) == 0
    out, err = capsys.readouterr()
    assert err.startswith("this takes about ") and "--all-rows" in out and "expected calibration" not in out
    assert main(["evaluate", str(run.path), "--metrics", "calibration", "--all-rows"]) == 0
    out = capsys.readouterr().out
    assert "expected calibration" in out
    others = {row.metric for row in read_rows(run) if row.measured_by == "energy_histograms"}
    assert others and not any(re.search(rf"^{metric}\b", out, re.MULTILINE) for metric in others)  # they are stored
    assert main(["evaluate", str(run.path), "--metrics", "al"]) == 2
    assert "did you mean 'all'" in capsys.readouterr().err


def test_what_a_run_lacks_is_said_before_anything_is_measured(subjects, capsys, monkeypatch):
    run = subjects[0][0]
    monkeypatch.setattr("energybased.runs.evaluate.timed", lambda name, subject: pytest.fail(f"{name} is measured"))
    monkeypatch.setattr("energybased.evaluation.subject.skimage_installed", lambda: False)
    for metrics, words in {
        "energy_histograms,mse": "mse needs latent vectors (a run of a latent recipe)",
        "inpainting": "needs the extra for restored pictures (pip install 'energybased[restore]')",
        "Calibration": "did you mean 'calibration'?",
    }.items():
        assert main(["evaluate", str(run.path), "--metrics", metrics]) == 2
        error = capsys.readouterr().err.strip()
        assert words in error and error.startswith("ebm: ") and "\n" not in error


def test_a_file_that_is_no_inception_is_refused_before_anything_is_measured(subjects, capsys, tmp_path):
    file = tmp_path / "weights.pth"
    file.write_text("nothing")
    assert main(["evaluate", str(subjects[0][0].path), "--inception", str(file)]) == 2
    assert "is no file of weights that torch can read safely" in capsys.readouterr().err
