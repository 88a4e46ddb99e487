"""Six strangers: parts of a user's own and data of a user's own, with the public library alone.

Each of them is trained, stopped and resumed bit for bit, loaded, evaluated and reported. The parts are in `own/`.
"""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import energybased as eb
from energybased.cli import main
from energybased.evaluation import METRICS
from energybased.models import Sampler
from energybased.recipes import Dense
from energybased.report import report
from energybased.runs.evaluate import evaluate, read_rows, subject_of

OWN = Path(__file__).parent / "own"
SMALL = {"network": Dense((16,)), "batch_size": 32, "checkpoint_every": 20}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to work in, with `own/` importable; what a file registers is gone after the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(OWN), *sys.path])
    known, modules = dict(METRICS), set(sys.modules)
    yield tmp_path
    for name in METRICS.keys() - known.keys():
        del METRICS[name]
    for name in {file.stem for file in OWN.glob("*.py")} - modules:
        sys.modules.pop(name, None)


def stopped(run, step, to):
    """A copy of the run as a stop right after the checkpoint of that step leaves it."""
    shutil.copytree(run.path, to)
    for checkpoint in (to / "checkpoints").iterdir():
        if int(checkpoint.name) > step:
            shutil.rmtree(checkpoint)
    return to


def tensors(path):
    """All tensors of the newest checkpoint: weights, averages, optimisers, states and generators."""
    newest = max((Path(path) / "checkpoints").iterdir())
    files = sorted(newest.glob("*.safetensors"))
    return {f"{newest.name}/{file.stem}/{k}": v for file in files for k, v in load_file(file).items()}


def assert_same(a, b):
    """The newest checkpoints of two runs are equal to the bit."""
    a, b = tensors(a), tensors(b)
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def values(path):
    """The measured values of a run, by metric, of its own system."""
    run = eb.Run.open(path)
    return {row.metric: row.value for row in read_rows(run) if row.system == run.recipe["recipe"]}


def assert_refused(module, capsys, *arguments):
    """Without a module of the user's own, `ebm` names it and the flag that imports it."""
    held = sys.modules.pop(module)
    assert main(arguments) == 2
    sys.modules[module] = held
    said = capsys.readouterr().err
    assert repr(module) in said and f"--import {module}.py" in said


def measured_and_reported(path, *options):
    """Evaluates and reports a run by the command line; returns its values."""
    assert main(["evaluate", str(path), *options]) == 0
    assert main(["report", str(path), *options]) == 0
    assert "Measurements" in (Path(path) / "report.html").read_text()
    return values(path)


def test_a_kernel_of_ones_own(capsys):
    from kernel import OwnLangevin

    normal = eb.sample(eb.StandardNormal(1), torch.zeros(4000, 1), OwnLangevin(0.4), steps=60).x
    # The stationary variance, see `Langevin.overdamped`, within five standard errors.
    assert abs(float(normal.var()) - 1 / (1 - 0.4**2 / 4)) < 5 * (2 / 4000) ** 0.5

    points = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 30.0])
    kernel = OwnLangevin(0.2)
    recipe = eb.recipes.table(sampler=Sampler(kernel, steps=5, length=100), steps=40, **SMALL)
    run = eb.train(recipe, out="runs/a", data=points)
    broken = stopped(run, 20, Path("runs/b"))
    assert_same(eb.resume(stopped(run, 20, Path("runs/c"))).path, run.path)

    assert_refused("kernel", capsys, "train", "--resume", str(broken))
    command = [sys.executable, "-m", "energybased", "train", "--resume", broken, "--import", OWN / "kernel.py"]
    subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True, capture_output=True)
    assert_same(broken, run.path)

    model = eb.load(broken)
    assert model.sampler.kernel == kernel
    x = model.sample(1000, generator=torch.Generator().manual_seed(0))
    assert ((x.std(0) / points.std(0)).log().abs() < 0.4).all()
    assert measured_and_reported(broken, "--import", str(OWN / "kernel.py"))["energy_distance"] < 0.5


def test_an_objective_of_ones_own_on_pixels(capsys):
    from score_matching import ScoreMatching

    recipe = eb.recipes.digits(objective=ScoreMatching(0.2), steps=40, **SMALL)
    run = eb.train(recipe, out="runs/a")
    losses = [line["loss"] for line in run.lines("metrics.jsonl")]
    assert losses[-1] < 0.5  # the loss of a constant energy is 1/2
    assert_same(eb.resume(stopped(run, 20, Path("runs/b"))).path, run.path)
    assert_refused("score_matching", capsys, "sample", "runs/a")
    assert "fd" in measured_and_reported("runs/b", "--import", str(OWN / "score_matching.py"))


def test_an_objective_of_ones_own_on_reals():
    from score_matching import ScoreMatching

    angle = 2 * torch.pi * torch.rand(2000, 1, generator=torch.Generator().manual_seed(0))
    ring = 100.0 * torch.cat([angle.cos(), angle.sin()], 1)  # after standardisation, of radius 2 ** .5
    recipe = eb.recipes.table(
        objective=ScoreMatching(0.2), data_noise=0.0, base="none", steps=400, network=Dense((64, 64)), ema=0.98,
        checkpoint_every=200,
    )  # fmt: skip
    run = eb.train(recipe, out="runs/a", data=ring.numpy())
    assert_same(eb.resume(stopped(run, 200, Path("runs/b"))).path, run.path)
    radius = eb.load("runs/b").sample(500, generator=torch.Generator().manual_seed(0)).norm(dim=1)
    assert abs(float(radius.mean()) - 100) < 10 and float(radius.std()) < 30  # noise of .2 is a spread of 14
    found = measured_and_reported("runs/b")
    gaussian = [row.value for row in read_rows(eb.Run.open("runs/b")) if row.system == "Gaussian"]
    assert found["energy_distance"] < gaussian[0]


def test_a_table_in_wild_units():
    mean, scale = np.array([1e6, 1e-3, -50.0, 0.0, 3e4]), np.array([2e5, 1e-4, 5.0, 1.0, 10.0])
    z = np.random.default_rng(0).normal(size=(1000, 5))
    z[:, 1] = 0.6 * z[:, 0] + 0.8 * z[:, 1]
    np.savez("table.npz", x=mean + scale * z)
    quick = ["--steps", "100", "--network.hidden", "32", "--checkpoint-every", "50", "--batch-size", "64"]
    assert main(["train", "table", "--data", "table.npz", "--name", "a", *quick]) == 0
    broken = stopped(eb.Run.open("runs/a"), 50, Path("runs/b"))
    assert main(["train", "--resume", str(broken)]) == 0
    assert_same("runs/a", broken)

    assert main(["sample", "runs/b", "-n", "400", "--out", "rows.csv"]) == 0
    with open("rows.csv") as file:
        header, *lines = csv.reader(file)
    rows = np.array(lines, dtype=float)
    assert header == [f"x{i}" for i in range(5)] and rows.shape == (400, 5)
    # A tenth of a standard deviation is two standard errors of the mean; the rest is left to 100 updates.
    assert (np.abs(rows.mean(0) - mean) < 0.5 * scale).all()
    assert (np.abs(np.log(rows.std(0) / scale)) < np.log(1.5)).all()

    np.savez("odd.npz", x=mean + scale * (z[:50] + 8))
    scores = {}
    for name in ("table", "odd"):
        assert main(["score", "runs/b", f"{name}.npz", "--out", f"{name}-scores.csv"]) == 0
        with open(f"{name}-scores.csv") as file:
            scores[name] = [float(row["score"]) for row in csv.DictReader(file)]
    assert len(scores["table"]) == 1000 and max(scores["table"]) < min(scores["odd"])
    assert measured_and_reported("runs/b")["energy_distance"] < 1


def test_an_energy_conditional_on_a_real_vector():
    from linear_mean import LinearMean

    rng = torch.Generator().manual_seed(0)
    weight = torch.tensor([[2.0, 0.0, -1.0], [0.0, 30.0, 10.0]])
    y = torch.randn(2000, 3, generator=rng)
    sd = torch.tensor([0.5, 5.0])
    x = y @ weight.T + sd * torch.randn(2000, 2, generator=rng)
    recipe = eb.recipes.table(
        conditional=True, network=LinearMean(), base="none", data_noise=0.0, optimizer=eb.Adam(lr=2e-2),
        sampler=Sampler(eb.Underdamped(0.2, 0.8), steps=5, length=100), steps=300, ema=0.98, checkpoint_every=200,
    )  # fmt: skip
    run = eb.train(recipe, out="runs/a", data=(x, y))
    assert_same(eb.resume(stopped(run, 200, Path("runs/b"))).path, run.path)

    model = eb.load("runs/b")
    for condition in (torch.tensor([1.0, -1.0, 0.5]), torch.tensor([-0.5, 0.0, 1.0])):
        drawn = model.given(condition).sample(1000, generator=rng)
        # The Monte-Carlo error is sd / 1000 ** .5; a fifth of sd is left to the training.
        assert ((drawn.mean(0) - weight @ condition).abs() < (0.2 + 5 / 1000**0.5) * sd).all()
    with pytest.raises(eb.UserError, match="shape"):
        model.given(torch.zeros(2))

    assert main(["sample", "runs/b", "-n", "6", "--given", "1,-1,0.5", "--out", "rows.csv"]) == 0
    np.savez("pairs.npz", x=x[:10].numpy())
    np.save("y.npy", y[:10].numpy())
    assert main(["score", "runs/b", "pairs.npz", "--given", "y.npy", "--out", "scores.csv"]) == 0
    assert main(["evaluate", "runs/b", "--metrics", "energy_distance"]) == 2  # p(x | y) has no samples of p(x)
    found = measured_and_reported("runs/b", "--import", str(OWN / "linear_mean.py"))
    assert found["conditional_mean"] < 3 * float(sd.square().mean().sqrt())  # x is one draw around its mean


def test_three_phases_with_three_data_sets():
    def parts():
        torch.manual_seed(0)
        rng = torch.Generator().manual_seed(1)
        tasks = [centre + 0.3 * torch.randn(n, 2, generator=rng) for centre, n in ((0.0, 100), (3.0, 90), (-3.0, 70))]
        divergence = eb.ContrastiveDivergence(eb.Underdamped(0.2), 5, eb.ReplayBuffer(capacity=64))
        objectives = (divergence, eb.EnergyDiscrepancy(particles=4), divergence)
        phases = [eb.Phase(objective, 20, data=task) for objective, task in zip(objectives, tasks, strict=True)]
        settings = eb.Settings(batch_size=32, checkpoint_every=15)
        return {"energy": eb.MLP(2, (16,)), "phases": phases, "settings": settings, "sampler": Sampler(length=20)}

    run = eb.train(**parts(), out="runs/a")
    assert {line["phase"] for line in run.lines("metrics.jsonl")} == {0, 1, 2}
    for step in (15, 30, 45):  # within each of the phases
        assert_same(eb.resume(stopped(run, step, Path(f"runs/b{step}")), **parts()).path, run.path)

    changed = parts()
    changed["phases"][1] = eb.Phase(changed["phases"][1].objective, 20, data=torch.zeros(90, 2))
    with pytest.raises(eb.UserError, match="phases"):
        eb.resume(stopped(run, 30, Path("runs/c")), **changed)

    network = parts()["energy"]
    assert eb.load(run.path, energy=network).score(torch.zeros(3, 2)).shape == (3,)
    subject = subject_of(run, energy=network)
    rows = evaluate(run, subject=subject)
    assert {row.metric for row in rows} >= {"energy_distance"}
    assert "Measurements" in report(run, subject, rows)


def test_a_metric_of_ones_own(capsys):
    np.save("points.npy", np.random.default_rng(0).normal(size=(200, 2)))
    quick = ["--steps", "4", "--checkpoint-every", "2", "--sampler.length", "5", "--network.hidden", "8"]
    assert main(["train", "table", "--data", "points.npy", "--name", "a", *quick]) == 0
    assert main(["evaluate", "runs/a", "--metrics", "mine"]) == 2 and "no metric 'mine'" in capsys.readouterr().err
    broken = stopped(eb.Run.open("runs/a"), 2, Path("runs/b"))
    assert main(["train", "--resume", str(broken)]) == 0
    assert_same("runs/a", broken)
    capsys.readouterr()
    assert main(["evaluate", "runs/b", "--import", str(OWN / "metric.py"), "--metrics", "mine"]) == 0
    assert "mean_distance" in capsys.readouterr().out and values("runs/b").keys() == {"mean_distance"}
    assert measured_and_reported("runs/b").keys() == {"mean_distance", "energy_distance"}
    assert "mean_distance" in Path("runs/b/report.html").read_text()
