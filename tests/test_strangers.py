"""Six strangers: parts of a user's own and data of a user's own, with the public library alone.

Each of them is trained, stopped and resumed bit for bit, loaded, evaluated and reported. The parts are in `own/`.
"""

import csv
import json
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
from energybased.conditions import Classes, Vector
from energybased.evaluation import METRICS
from energybased.models import Sampler
from energybased.recipes import RECIPES, Dense
from energybased.report import report
from energybased.runs.evaluate import evaluate, read_rows, subject_of
from energybased.training.checkpoint import _digest
from energybased.training.run import identity

OWN = Path(__file__).parent / "own"
SMALL = {"network": Dense((16,)), "batch_size": 32, "checkpoint_every": 20}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to work in, with `own/` importable; what a file registers is gone after the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(OWN), *sys.path])
    known, modules = [(lists, set(lists)) for lists in (METRICS, RECIPES)], set(sys.modules)
    yield tmp_path
    for lists, before in known:
        for name in lists.keys() - before:
            del lists[name]
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


def fresh(*commands):
    """Exit codes, and what is said, of commands of `ebm` that run one after the other in a process of its own."""
    script = "import json, sys; from energybased.cli import main; print([main(c) for c in json.loads(sys.argv[1])])"
    told = json.dumps([list(map(str, command)) for command in commands])
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", script, told], env=environment, capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


def rows_of_csv(name):
    with open(name, newline="") as file:
        header, *lines = csv.reader(file)
    return header, lines


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
    own = ["--import", OWN / "kernel.py"]
    codes, said = fresh(
        ["sample", run.path],
        ["train", "--resume", broken, *own],
        ["sample", broken, "-n", "9", "--out", "rows.csv", *own],
        ["evaluate", broken, *own],
        ["report", broken, *own],
    )
    assert codes == [2, 0, 0, 0, 0] and "'kernel' is not imported" in said and "--import kernel.py" in said
    assert_same(broken, run.path)
    assert len(rows_of_csv("rows.csv")[1]) == 9

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
    rows = [row for row in read_rows(eb.Run.open("runs/b")) if row.system == "Gaussian"]
    (gaussian,) = (row.value for row in rows if row.metric == "energy_distance")
    assert found["energy_distance"] < gaussian


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
    kinds = ([1.0, -1.0, 0.5], np.array([1.0, -1.0, 0.5]), torch.tensor([1.0, -1.0, 0.5]))
    scores = [model.given(condition).score(x[:4]) for condition in kinds]
    assert torch.equal(scores[0], scores[2]) and torch.equal(scores[1], scores[2])
    with pytest.raises(eb.UserError, match="shape"):
        model.given(torch.zeros(2))
    bound = model.given(torch.zeros(4, 3))
    for call in (lambda: bound.score(x[:5]), lambda: bound.sample(3)):
        with pytest.raises(eb.UserError, match="conditions of 4 rows"):
            call()

    assert main(["sample", "runs/b", "-n", "6", "--given", "1,-1,0.5", "--out", "rows.csv"]) == 0
    np.savez("pairs.npz", x=x[:10].numpy())
    np.save("y.npy", y[:10].numpy())
    assert main(["score", "runs/b", "pairs.npz", "--given", "y.npy", "--out", "scores.csv"]) == 0
    assert main(["evaluate", "runs/b", "--metrics", "energy_distance"]) == 2  # p(x | y) has no samples of p(x)
    found = measured_and_reported("runs/b", "--import", str(OWN / "linear_mean.py"))
    assert found["conditional_mean"] < 3 * float(sd.square().mean().sqrt())  # x is one draw around its mean
    # Of two samples of one density over five columns it is less than (2 * 5) ** .5 (1 / n + 1 / m); n and m are 200.
    assert found["joint_energy_distance"] < 10**0.5 * 2 / 200


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
    rows = eb.evaluate(run.path, energy=network)
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
    assert measured_and_reported("runs/b").keys() >= {"mean_distance", "energy_distance"}
    assert "mean_distance" in Path("runs/b/report.html").read_text()


def test_an_objective_of_ones_own_beside_a_network():
    from score_matching import ScoreMatching

    def parts(dim, noise):
        torch.manual_seed(0)
        settings = eb.Settings(batch_size=64, checkpoint_every=50, optimizer=eb.Adam(lr=1e-2), ema=0.98)
        sampler = Sampler(eb.Underdamped(0.2), length=200)
        return {"energy": eb.MLP(dim, (64,)), "objective": ScoreMatching(noise), "steps": 300, "settings": settings,
                "sampler": sampler}  # fmt: skip

    x = 5 + torch.randn(1000, 2, generator=torch.Generator().manual_seed(0))
    digits = eb.data.load_data("digits")
    for name, data, dim, noise, events in (("reals", x, 2, 1.0, (2,)), ("pixels", digits, 64, 0.3, (1, 8, 8))):
        run = eb.train(**parts(dim, noise), data=data, out=f"runs/{name}")
        assert run.lines("metrics.jsonl")[-1]["loss"] < run.lines("metrics.jsonl")[0]["loss"] < 1
        again = eb.resume(stopped(run, 100, Path(f"runs/{name}-b")), **parts(dim, noise))
        assert_same(again.path, run.path)
        model = eb.load(again.path, energy=eb.MLP(dim, (64,)))
        assert model.sample(4).shape == (4, *events)
        if name == "reals":  # the noisy data are N(5, 2 I), so that the score at the centre is 0 and beyond it -1
            score = -model.energy.value_and_grad(torch.tensor([[5.0, 5.0], [7.0, 7.0]]))[1]
            assert (score[0].abs() < 0.4).all() and ((score[1] + 1).abs() < 0.4).all()
        with pytest.raises(eb.UserError, match=r"your own MLP: pass it as energy=network"):
            eb.load(again.path)
        subject = subject_of(again, energy=eb.MLP(dim, (64,)))
        assert "Measurements" in report(again, subject, evaluate(again, subject=subject))


def test_a_table_of_csv_with_columns_of_every_kind(capsys):
    rng = np.random.default_rng(0)
    n, names = 600, ["big", "small", "same", "heavy", "count"]
    kinds = np.array(["red", "green", "blue"])[np.arange(n) % 3]
    x = np.c_[
        1e9 + rng.uniform(-1, 1, n),
        1e-6 * (rng.normal(size=n) + 4 * (kinds == "red")),
        np.full(n, 3.5),
        rng.standard_t(3, n),
        rng.poisson(3, n),
    ]
    lines = [",".join([*map(repr, row), kind]) for row, kind in zip(x.tolist(), kinds, strict=True)]
    Path("t.csv").write_text("\n".join([",".join([*names, "kind"]), *lines]))
    np.savez("t.npz", X=x, labels=kinds)
    quick = [
        "--steps",
        "250",
        "--ema",
        "0.98",
        "--checkpoint-every",
        "100",
        "--network.hidden",
        "32",
        "--batch-size",
        "64",
    ]
    chains = ["--sampler.length", "200", "--sampler.steps", "8", "--conditional", "True", "--optimizer.lr", "5e-3"]
    assert main(["train", "table", "--data", "t.csv", "--label", "kind", "--name", "a", *quick, *chains]) == 0
    assert main(["train", "table", "--data", "t.npz", "--name", "z", *quick, *chains]) == 0
    first, second = (tensors(f"runs/{name}") for name in "az")
    assert all(torch.equal(first[key], second[key]) for key in first)  # of either file
    broken = stopped(eb.Run.open("runs/a"), 200, Path("runs/b"))
    assert main(["train", "--resume", str(broken)]) == 0
    assert_same("runs/a", broken)

    drawn = {}
    for kind in ("red", "blue"):
        assert main(["sample", "runs/b", "-n", "300", "--given", kind, "--out", "rows.csv"]) == 0
        header, lines = rows_of_csv("rows.csv")
        assert header == [*names, "label"] and {line[-1] for line in lines} == {kind}
        drawn[kind] = np.array([line[:-1] for line in lines], dtype=float)
    both, sd = np.concatenate([*drawn.values()]), x.std(0)
    assert (both[:, 2] == 3.5).all() and np.isfinite(both).all()
    # The mean of 300 is within .3 standard deviations by five standard errors; as much is left to 250 updates.
    for i in (0, 4):
        assert abs(both[:, i].mean() - x[:, i].mean()) < 0.6 * sd[i] and 0.5 < both[:, i].std() / sd[i] < 1.5
    assert abs(np.median(both[:, 3])) < 0.6 * sd[3]
    shift = drawn["red"][:, 1].mean() - drawn["blue"][:, 1].mean()
    assert 2e-6 < shift < 6e-6  # 4e-6; 0 of a model that does not know the label

    odd = x[:50] + np.array([0, 0, 0, 0, 40])
    np.savez("odd.npz", x=odd)
    scores = {}
    for name in ("t.csv", "odd.npz"):
        assert main(["score", "runs/b", name, "--given", "green", "--out", "scores.csv"]) == 0
        scores[name] = [float(line[1]) for line in rows_of_csv("scores.csv")[1]]
    assert np.median(scores["odd.npz"]) > max(np.quantile(scores["t.csv"], 0.95), 10)
    assert "ignored: kind" in capsys.readouterr().err
    assert measured_and_reported("runs/b")["energy_distance"] < 1


def test_an_energy_conditional_on_a_class_and_a_vector():
    from linear_mean import ShiftedMean

    rng = torch.Generator().manual_seed(0)
    weight, shift = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 1.0]]), torch.tensor([[-4.0, 0.0], [4.0, 2.0]])
    y, k = torch.randn(1500, 3, generator=rng), torch.arange(1500) % 2
    x = y @ weight.T + shift[k] + 0.5 * torch.randn(1500, 2, generator=rng)
    labels = np.array(["left", "right"])[k]
    recipe = eb.recipes.table(
        conditional=True, network=ShiftedMean(), base="none", data_noise=0.0, optimizer=eb.Adam(lr=2e-2),
        sampler=Sampler(eb.Underdamped(0.2, 0.8), steps=5, length=100), steps=300, ema=0.98, checkpoint_every=200,
    )  # fmt: skip
    run = eb.train(recipe, out="runs/a", data=(x, (labels, y.numpy())))
    assert_same(eb.resume(stopped(run, 200, Path("runs/b"))).path, run.path)
    model = eb.load("runs/b")
    assert isinstance(model.conditions[1], Vector) and model.conditions[0] == Classes(2, ("left", "right"))
    vector = torch.tensor([1.0, -1.0, 0.5])
    for number, label in enumerate(("left", "right")):
        drawn = model.given(label, vector).sample(1000, generator=torch.Generator().manual_seed(1))
        # The Monte-Carlo error is sd / 1000 ** .5 with sd = .5; a fifth of the spread of x is left to the training.
        allowed = 5 * 0.5 / 1000**0.5 + 0.2 * x.std(0)
        assert ((drawn.mean(0) - weight @ vector - shift[number]).abs() < allowed).all()
        number_in_tuple = model.given((number, vector)).sample(1000, generator=torch.Generator().manual_seed(1))
        assert torch.equal(number_in_tuple, drawn)
    scored = model.given(k[:20], y[:20]).score(x[:20])
    crossed = model.given(1 - k[:20], y[:20]).score(x[:20])
    assert float((crossed - scored).min()) > 0
    np.savez("given.npz", a=labels[:6], b=y[:6].numpy())
    assert main(["sample", "runs/b", "--given", "given.npz", "--out", "rows.csv"]) == 0
    assert len(rows_of_csv("rows.csv")[1]) == 6
    found = measured_and_reported("runs/b")
    assert found["conditional_mean"] < 3 * 0.5 and found["joint_energy_distance"] < 14**0.5 * 2 / 150


class Centre(torch.nn.Module):
    """|x - centre|^2 / 2."""

    def __init__(self):
        super().__init__()
        self.centre = torch.nn.Parameter(torch.zeros(2))

    def forward(self, x):
        return (x - self.centre).square().sum(1) / 2


@pytest.mark.parametrize("kind", ["tensors", "pairs", "loaders"])
def test_phases_see_their_data_in_the_units_of_the_run(kind):
    from score_matching import ScoreMatching

    def parts():
        rng = torch.Generator().manual_seed(1)
        tasks = [centre + scale * torch.randn(100, 2, generator=rng) for centre, scale in ((0, 1), (9, 2), (-9, 3))]
        if kind == "loaders":
            sets = [torch.utils.data.TensorDataset(task) for task in tasks]
            tasks = [torch.utils.data.DataLoader(s, 32, generator=torch.Generator().manual_seed(2)) for s in sets]
        elif kind == "pairs":
            tasks = [(task, None) for task in tasks]
        phases = [eb.Phase(ScoreMatching(1.0), 60, data=task) for task in tasks]
        settings = eb.Settings(batch_size=32, checkpoint_every=30, optimizer=eb.Adam(lr=0.5), ema=0.5)
        return {"energy": Centre(), "phases": phases, "settings": settings}

    run = eb.train(**parts(), out="runs/a")
    for step, centre in ((60, 0.0), (120, 9.0), (180, -9.0)):
        found = eb.load(run.path, step=step, energy=Centre()).energy.module.centre
        # The mean of a task of sd 3 is within 5 * 3 / 80 ** .5, and Adam within a few of its steps.
        assert ((found - centre).abs() < 1.7 + 1.5).all()
    assert_same(eb.resume(stopped(run, 90, Path("runs/b")), **parts()).path, run.path)


def test_a_phase_of_another_kind_of_data_is_named():
    from score_matching import ScoreMatching

    pictures = torch.randint(0, 256, (40, 1, 2, 2), dtype=torch.uint8)
    phases = [eb.Phase(ScoreMatching(), 5), eb.Phase(ScoreMatching(), 5, data=pictures)]
    with pytest.raises(eb.UserError, match="holds bytes, which are pixels"):
        eb.train(energy=Centre(), data=torch.randn(40, 2), phases=phases, out="runs/a")
    assert not Path("runs/a").exists()


def test_a_recipe_of_ones_own(capsys):
    own = ["--import", str(OWN / "recipe.py")]
    np.save("points.npy", 50 + 3 * np.random.default_rng(0).normal(size=(300, 2)))
    quick = ["--data", "points.npy", "--steps", "40", "--checkpoint-every", "10", "--network.count", "8"]
    assert main(["train", "stretches"]) == 2 and "no recipe 'stretches'" in capsys.readouterr().err
    assert main(["train", "stretches", "--name", "a", *quick, "--network.scales", "1", "2.5", *own]) == 0
    run = eb.Run.open("runs/a")
    assert run.recipe["settings"]["kind"] == "recipe:TwoStretches"
    assert run.recipe["settings"]["network"] == {"kind": "recipe:BumpSettings", "count": 8, "scales": [1.0, 2.5]}
    assert [event["objective"] for event in run.lines("events.jsonl") if event["event"] == "phase"] == [
        "EnergyDiscrepancy",
        "ContrastiveDivergence",
    ]
    for step in (10, 30):  # in the first stretch and in the second
        broken = stopped(run, step, Path(f"runs/b{step}"))
        assert_same(eb.resume(broken).path, run.path)
    assert_refused("recipe", capsys, "sample", "runs/a")
    codes, said = fresh(
        ["sample", "runs/a"], ["sample", "runs/a", "--out", "rows.csv", *own], ["evaluate", "runs/a", *own]
    )
    assert codes == [2, 0, 0] and "'recipe' is not imported" in said
    x = np.array(rows_of_csv("rows.csv")[1], dtype=float)
    assert (np.abs(x.mean(0) - 50) < 6).all()
    assert measured_and_reported("runs/b10", *own)["energy_distance"] < 2


def test_what_could_not_be_loaded_again_is_refused_before_the_first_step():
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Hidden:
        """Network settings that no other process can find."""

        def build(self, event, conditions=()):
            raise AssertionError("built before it was refused")

    for recipe in (
        eb.recipes.table(network=Hidden(), base="none", steps=5),
        eb.recipes.table(objective=Hidden(), steps=5),
        eb.recipes.table(network=Dense((8,)), sampler=Sampler(Hidden(), steps=1), steps=5),
    ):
        with pytest.raises(eb.UserError) as refusal:
            eb.train(recipe, data=torch.randn(40, 2), out="runs/a")
        words = str(refusal.value)
        assert "Hidden cannot be found again" in words and "top level of test_strangers.py" in words
        assert "--import test_strangers.py" in words and not Path("runs/a").exists()


def test_a_run_that_names_other_code_loads_nothing(capsys):
    """Neither modules of Python nor files that lie about are imported, however a run calls them."""
    Path("lying.py").write_text("open('touched', 'w')\nclass Mine: pass\n")
    sys.path.insert(0, ".")  # removed by the fixture
    recipe = eb.recipes.table(steps=2, checkpoint_every=1, network=Dense((8,)))
    run = eb.train(recipe, data=torch.randn(40, 2), out="runs/a")
    run.drop_checkpoints_after(1)
    for kind, words in [
        ("os:system", "os:system is no class of settings"),
        ("subprocess:Popen", "subprocess:Popen is no class of settings"),
        ("torch:load", "torch:load is no class of settings"),
        ("torch:_dynamo", "_dynamo"),
        ("torch:nn.Linear", "torch:nn.Linear is no class of settings"),
        ("lying:Mine", "the module 'lying' is not imported; import it before loading, or on the command line with "),
        ("some.package:Mine", "--import some.package"),
        ("kernel", "cannot be a 'kernel'"),
    ]:
        facts = {name: value for name, value in run.recipe.items() if name != "identity"}
        facts["settings"]["sampler"]["kernel"]["kind"] = kind
        run.write_json("recipe.json", {**facts, "identity": identity(facts)})
        for folder in (run.path / "checkpoints").iterdir():
            state = {**json.loads((folder / "state.json").read_text()), "recipe": identity(facts)}
            state["sha256"]["state.json"] = _digest(state)
            (folder / "state.json").write_text(json.dumps(state))
        modules = set(sys.modules)
        for verb in (
            ["sample", "runs/a"],
            ["train", "--resume", "runs/a"],
            ["evaluate", "runs/a"],
            ["report", "runs/a"],
        ):
            capsys.readouterr()
            assert main(verb) == 2
            error = capsys.readouterr().err.strip()
            assert words in error and "\n" not in error
        assert not any(name.split(".")[0] in ("lying", "some") for name in sys.modules) and not Path("touched").exists()
        assert set(sys.modules) - modules <= set(), kind


def test_what_cannot_be_imported_is_named(capsys):
    Path("types.py").write_text("")
    Path("broken.py").write_text("1 / 0")
    Path("parts").mkdir()
    Path("parts/kernels.py").write_text((OWN / "kernel.py").read_text())
    for name, words in [
        ("types.py", "types.py has the name of another module, 'types': rename the file"),
        ("broken.py", "cannot import 'broken.py': ZeroDivisionError"),
        ("gone.py", "there is no file gone.py to import"),
        ("no_such_module", "cannot import 'no_such_module'"),
    ]:
        assert main(["recipes", "--import", name]) == 2 and words in capsys.readouterr().err
    Path("types.py").unlink()
    assert fresh(["recipes", "--import", "parts.kernels"])[0] == [0]  # of the folder where one is
