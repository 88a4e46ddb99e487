"""The loop: exact resume, phases, the guard, checkpoints and their bad inputs."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.utils.data import DataLoader, TensorDataset

from energybased import ContrastiveDivergence, Langevin, ReplayBuffer, UserError, load, resume, train
from energybased.energies import MLP
from energybased.errors import Interrupted
from energybased.objectives import Vital
from energybased.recipes import Dense, digits
from energybased.training import Adam, Loop, Phase, Run, Settings, TorchOptimizer, checkpoint
from energybased.training.batches import as_batches
from energybased.training.ema import ema_init, ema_update
from energybased.training.optimizer import laid_out
from energybased.training.state import _load_optimizer, _optimizer_tensors

SMALL = {"batch_size": 16, "network": Dense((8,)), "buffer": ReplayBuffer(capacity=160, by_class=True)}
DATA = Path(__file__).parent / "data"  # models that versions 0.1 and 0.2 exported
FILES = ("model", "ema", "optimizer", "sums", "rng", "ring", "shard-00000")


def small(**changes):
    return digits(**{**SMALL, "steps": 12, "checkpoint_every": 5, "seed": 3, **changes})


def tensors(run, step):
    folder = run.path / "checkpoints" / f"{step:08d}"
    return {
        f"{name}/{key}": value for name in FILES for key, value in load_file(folder / f"{name}.safetensors").items()
    }


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def copy_until(run, step, to):
    """The run as a kill right after that checkpoint leaves it."""
    import shutil

    shutil.copytree(run.path, to)
    for folder in (to / "checkpoints").iterdir():
        if int(folder.name) > step:
            shutil.rmtree(folder)
    return to


def test_resume_is_exact_to_the_bit(tmp_path):
    straight = train(small(steps=45), out=tmp_path / "a")
    for step in (5, 20, 40):  # in the middle of a window of metrics, at its end, and between
        broken = copy_until(straight, step, tmp_path / f"b{step}")
        resumed = resume(broken)
        assert same(tensors(straight, 45), tensors(resumed, 45))
        assert untimed(resumed) == untimed(straight)


def untimed(run):
    return [{k: v for k, v in line.items() if "seconds" not in k} for line in run.lines("metrics.jsonl")]


def test_resume_after_kill_minus_nine(tmp_path):
    command = [sys.executable, "-m", "energybased", "train", "digits", "--steps", "30", "--seed", "3"]
    command += ["--checkpoint-every", "5", "--network.hidden", "8", "--batch-size", "16"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    straight, killed = [*command, "--name", "a"], [*command, "--name", "b"]
    subprocess.run(straight, cwd=tmp_path, env=environment, check=True, capture_output=True)
    process = subprocess.Popen(
        killed, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    checkpoints = tmp_path / "runs/b/checkpoints"
    while not (checkpoints / "00000010").exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    again = [sys.executable, "-m", "energybased", "train", "--resume", "runs/b"]
    subprocess.run(again, cwd=tmp_path, env=environment, check=True, capture_output=True)
    a, b = Run.open(tmp_path / "runs/a"), Run.open(tmp_path / "runs/b")
    assert same(tensors(a, 30), tensors(b, 30))


def test_a_run_on_own_parts_resumes(tmp_path):
    def parts(steps):
        torch.manual_seed(0)
        x = torch.rand(40, 4, generator=torch.Generator().manual_seed(1))
        settings = Settings(batch_size=8, checkpoint_every=10)
        return {"energy": MLP(4, (8,)), "data": x, "objective": OBJECTIVE, "steps": steps, "settings": settings}

    straight = train(**parts(25), out=tmp_path / "a")
    broken = Run.open(copy_until(straight, 10, tmp_path / "b"))
    with pytest.raises(UserError, match="energy=network"):
        resume(broken.path)
    assert same(tensors(straight, 25), tensors(resume(broken.path, **parts(25)), 25))


def test_wrong_parts_leave_no_run(tmp_path):
    good = {"energy": MLP(4, (8,)), "data": torch.rand(40, 4), "objective": OBJECTIVE, "steps": 2}
    for change in (
        {"data": []},
        {"data": torch.zeros(0, 4)},
        {"data": torch.full((40, 4), torch.nan)},
        {"data": {"x": 1}},
        {"data": (torch.rand(40, 4), torch.zeros(3))},
        {"energy": torch.nn.Flatten(0)},
        {"energy": 3},
    ):
        with pytest.raises(UserError):
            train(**{**good, **change}, out=tmp_path / "a")
        assert not (tmp_path / "a").exists()


def test_resuming_a_finished_run_says_so_and_changes_nothing(tmp_path):
    run = train(small(), out=tmp_path / "a")
    before = sorted(run.path.rglob("*"))
    assert resume(run.path).path == run.path and sorted(run.path.rglob("*")) == before


def test_a_recipe_and_a_seed_give_the_same_run(tmp_path):
    a, b = (train(small(), out=tmp_path / name) for name in "ab")
    assert same(tensors(a, 12), tensors(b, 12))
    c = train(small(seed=4), out=tmp_path / "c")
    assert not same(tensors(a, 12), tensors(c, 12))


@pytest.mark.parametrize("wrap", ["tensor", "pair", "dataset", "loader"])
def test_it_takes_the_users_own_things(tmp_path, wrap):
    torch.manual_seed(0)
    x, y = torch.rand(40, 4), torch.arange(40) % 3
    data = {
        "tensor": x,
        "pair": (x, y),
        "dataset": TensorDataset(x),
        "loader": DataLoader(TensorDataset(x, y), batch_size=8, shuffle=True),
    }[wrap]
    network = MLP(4, (8,), condition=3 if wrap in ("pair", "loader") else 0)
    objective = ContrastiveDivergence(Langevin(0.1, 0.05), 3, ReplayBuffer(capacity=16))
    settings = Settings(batch_size=8)
    run = train(energy=network, data=data, objective=objective, steps=9, out=tmp_path / "own", settings=settings)
    model = load(run.path, energy=network)
    assert torch.isfinite(next(model.energy.parameters())).all()
    with pytest.raises(UserError, match="energy=network"):
        load(run.path)


@pytest.mark.parametrize("kind", ["loader", "dataset", "function", "batches", "phase"])
def test_a_network_without_a_condition_leaves_out_the_y_of_any_data(tmp_path, kind):
    """It is trained as on x alone, to the bit, and resumes."""

    def parts(with_y):
        torch.manual_seed(0)
        x, y = torch.rand(40, 4), torch.arange(40) % 3
        held = TensorDataset(x, y) if with_y else TensorDataset(x)

        def loader():
            return DataLoader(held, batch_size=8, shuffle=True, generator=torch.Generator().manual_seed(0))

        data = {
            "loader": loader,
            "dataset": lambda: held,
            "function": lambda: lambda n: (x[:n], y[:n]) if with_y else x[:n],
            "batches": lambda: as_batches(loader(), 8, 0),
            "phase": loader,
        }[kind]()
        told = {"data": data, "objective": OBJECTIVE, "steps": 12}
        told = told if kind != "phase" else {"phases": [Phase(OBJECTIVE, 12, data=data)]}
        return {"energy": MLP(4, (8,)), "settings": Settings(batch_size=8, checkpoint_every=6), **told}

    with_y, without = (train(**parts(given), out=tmp_path / str(given)) for given in (True, False))
    assert same(tensors(with_y, 12), tensors(without, 12)) and not with_y.recipe["settings"]["conditional"]
    again = resume(copy_until(with_y, 6, tmp_path / "b"), **parts(True))
    assert same(tensors(again, 12), tensors(with_y, 12))


class Training:
    """A loop with the run that it writes into."""

    def __init__(self, loop, run):
        self.loop, self.run = loop, run

    def fit(self):
        return self.loop.fit(self.run)

    def resume(self, checkpoint):
        self.loop.resume(self.run, checkpoint)


@pytest.fixture
def loop(tmp_path):
    """Makes trainings of a tiny energy, and lets go of their runs in the end."""
    runs = []

    def make(phases, data=None, name="run", **settings):
        torch.manual_seed(0)
        part = {"energy": MLP(4, (8,))}
        data = torch.rand(64, 4, generator=torch.Generator().manual_seed(1)) if data is None else data
        made = Loop(part, phases, data, Settings(batch_size=8, **settings))
        runs.append(Run.create(tmp_path / name, {}))
        return Training(made, runs[-1]), runs[-1]

    yield make
    for run in runs:
        run.release()


OBJECTIVE = ContrastiveDivergence(Langevin(0.1, 0.05), 2, ReplayBuffer(capacity=16))


def test_phases_follow_one_another_and_resume_across_a_switch(loop):
    phases = [Phase(OBJECTIVE, 25), Phase(replace(OBJECTIVE, steps=3), 25)]
    straight, run = loop(phases, checkpoint_every=20)
    state = straight.fit()
    assert state.counters.step == 50 and state.counters.phase == 2
    other, copied = loop(phases, name="other", checkpoint_every=20)
    other.resume(run.path / "checkpoints" / "00000020")
    other.fit()
    assert same(tensors(run, 50), tensors(copied, 50))
    kinds = [line["event"] for line in run.lines("events.jsonl")]
    assert kinds == ["phase", "phase-end", "phase", "phase-end"]


def test_progress_is_the_part_of_all_budgets(loop):
    """A long phase counts for more than a short one; where budgets are of two kinds, each counts the same."""
    for name, phases, expected in (
        ("steps", [Phase(OBJECTIVE, 30), Phase(OBJECTIVE, 10)], 0.5),
        ("minutes", [Phase(OBJECTIVE, None, 3.0), Phase(OBJECTIVE, 500, 1.0)], 0.5),
        ("both", [Phase(OBJECTIVE, 30), Phase(OBJECTIVE, None, 1.0)], 1 / 3),
    ):
        made = loop(phases, name=name)[0].loop
        assert made.progress == 0
        made.state.counters.phase_step, made.state.counters.phase_seconds = 20, 120.0
        assert made.progress == pytest.approx(expected)
        made.state.counters.phase = 2
        assert made.progress == 1


def test_loaders_resume_in_the_middle_of_an_epoch(loop):
    data = DataLoader(TensorDataset(torch.rand(50, 4)), batch_size=8, shuffle=True)
    straight, run = loop([Phase(OBJECTIVE, 20)], data, checkpoint_every=9)
    straight.fit()
    other, copied = loop([Phase(OBJECTIVE, 20)], data, name="other", checkpoint_every=9)
    other.resume(run.path / "checkpoints" / "00000009")
    other.fit()
    assert same(tensors(run, 20), tensors(copied, 20))


def test_loaders_with_a_generator_of_their_own_resume(loop):
    def make():
        return DataLoader(
            TensorDataset(torch.arange(200.0).view(50, 4) / 200),
            batch_size=8,
            shuffle=True,
            generator=torch.Generator().manual_seed(5),
        )

    straight, run = loop([Phase(OBJECTIVE, 20)], make(), checkpoint_every=9)
    straight.fit()
    other, copied = loop([Phase(OBJECTIVE, 20)], make(), name="other", checkpoint_every=9)
    other.resume(run.path / "checkpoints" / "00000009")
    other.fit()
    assert same(tensors(run, 20), tensors(copied, 20))


def test_each_part_learns_from_its_own_loss_alone_at_its_own_rate(loop, tmp_path):
    class Both(ContrastiveDivergence):
        """Two losses that share a graph, with opposite wishes for the first part."""

        def step(self, parts, state, batch, rng):
            result = super().step(parts, state, batch, rng)
            a, b = parts["energy"].weight, parts["other"].weight
            return result._replace(losses={"energy": (a * b).sum(), "other": -(a * b).sum() + b.sum()})

    run = Run.create(tmp_path / "both", {})
    parts = {name: torch.nn.Linear(4, 1, bias=False) for name in ("energy", "other")}

    class Flat(torch.nn.Linear):
        def forward(self, x):
            return super().forward(x).squeeze(1)

    parts["energy"] = Flat(4, 1, bias=False)
    a, b = (parts[name].weight.detach().clone() for name in ("energy", "other"))
    objective = Both(OBJECTIVE.kernel, 2, OBJECTIVE.buffer)
    phase = Phase(objective, 1, rates={"other": 2.0})
    Loop(parts, [phase], torch.rand(64, 4), Settings(batch_size=8, optimizer=Adam(lr=0.1))).fit(run)
    run.release()
    torch.testing.assert_close(parts["energy"].weight, a - 0.1 * b.sign())  # Adam's first step is the sign
    torch.testing.assert_close(parts["other"].weight, b - 0.2 * (1 - a).sign())


def test_a_phase_ends_by_its_own_rule(loop):
    made, _ = loop([Phase(OBJECTIVE, 500, done=lambda metrics: True)])
    assert made.fit().counters.step == 20  # the first time that averaged metrics are read


def test_a_budget_in_minutes(loop):
    made, _ = loop([Phase(OBJECTIVE, None, minutes=0.01)])
    assert 0 < made.fit().counters.step < 10**6


class Sick(ContrastiveDivergence):
    """Every step moves each weight by the learning rate; weights that have moved far are what makes it sick."""

    vitals = (Vital("gap", -1.0, 0.8, 0, "rest"),)

    def step(self, parts, state, batch, rng):
        result = super().step(parts, state, batch, rng)
        weights = torch.cat([p.flatten() for p in parts["energy"].parameters()])
        metrics = {**result.metrics, "gap": weights.detach().abs().mean()}
        return result._replace(losses={"energy": weights.sum()}, metrics=metrics)


def test_the_guard_goes_back_slows_down_and_recovers(loop):
    sick = Sick(OBJECTIVE.kernel, 2, OBJECTIVE.buffer)
    made, run = loop([Phase(sick, 60)], optimizer=Adam(lr=0.05), checkpoint_every=20)
    state = made.fit()
    back = [line for line in run.lines("events.jsonl") if line["event"] == "rollback"]
    assert 1 <= len(back) <= 3 and state.counters.stopped is None and state.counters.step == 60
    assert back[0]["to"] < back[0]["at"] and "gap is" in back[0]["reason"]
    # After each rollback the rate begins at a fifth of what tripped, and grows back to half of it at the most.
    tripped = 1.0
    for line in back:
        assert line["rate_scale"] <= 0.2 * tripped * 1.001
        tripped = 0.5 * tripped
    assert state.counters.rate_scale <= state.counters.rate_ceiling <= 0.5
    assert [line["event"] for line in run.lines("events.jsonl")].count("phase") == 1


def test_a_run_resumed_after_a_rollback_is_the_same(loop):
    sick = Sick(OBJECTIVE.kernel, 2, OBJECTIVE.buffer)
    straight, run = loop([Phase(sick, 60)], optimizer=Adam(lr=0.05), checkpoint_every=30)
    straight.fit()
    other, copied = loop([Phase(sick, 60)], name="other", optimizer=Adam(lr=0.05), checkpoint_every=30)
    other.resume(run.path / "checkpoints" / "00000030")
    other.fit()
    assert same(tensors(run, 60), tensors(copied, 60))


def test_the_guard_gives_up_after_three(loop):
    class Hopeless(Sick):
        vitals = (Vital("gap", 1.0, 2.0, 0, "give up"),)

    made, run = loop([Phase(Hopeless(OBJECTIVE.kernel, 2, OBJECTIVE.buffer), 500)])
    state = made.fit()
    assert "after 3 rollbacks" in state.counters.stopped
    assert [line["event"] for line in run.lines("events.jsonl")][-1] == "stop"
    assert run.newest_checkpoint().name == f"{state.counters.step:08d}"


def test_a_loss_that_is_not_finite_says_what_to_lower(loop):
    class Lost(ContrastiveDivergence):
        def step(self, parts, state, batch, rng):
            result = super().step(parts, state, batch, rng)
            return result._replace(metrics={**result.metrics, "loss": torch.tensor(torch.nan)})

    made, run = loop([Phase(Lost(OBJECTIVE.kernel, 2, OBJECTIVE.buffer), 500)])
    told = "loss is not finite at step 20, after 3 rollbacks: lower the learning rate, or the step size of the sampler"
    assert made.fit().counters.stopped == told and run.outcome == f"stopped by the guard: {told}"


def test_guard_off_watches_nothing(loop):
    sick = Sick(OBJECTIVE.kernel, 2, OBJECTIVE.buffer)
    made, _run = loop([Phase(sick, 60)], optimizer=Adam(lr=0.05), guard="off")
    assert made.fit().counters.rollbacks == 0 and not made.loop.ring.held


def test_a_batch_with_nan_is_named(loop):
    data = torch.rand(64, 4)
    data[3, 1] = torch.nan
    with pytest.raises(UserError, match="not finite"):
        loop([Phase(OBJECTIVE, 20)], data)
    made, _ = loop([Phase(OBJECTIVE, 20)], DataLoader(TensorDataset(data), batch_size=8))
    with pytest.raises(UserError, match="batch for step 1 has entries that are not finite"):
        made.fit()


def test_control_c_writes_a_checkpoint_and_says_how_to_go_on(loop):
    def interrupt(metrics):
        os.kill(os.getpid(), signal.SIGINT)
        return False

    made, run = loop([Phase(OBJECTIVE, 500, done=interrupt)])
    with pytest.raises(Interrupted, match="--resume"):
        made.fit()
    assert run.newest_checkpoint().name == "00000021"  # the step that began after the signal


def test_sigma_clip_is_the_papers():
    """Each entry of a gradient to +-(3 sqrt(v / (1 - beta2^t)) + 0.1), v before the update."""
    weight = torch.nn.Linear(1, 1, bias=False)
    adam = Adam(lr=1e-3, clip_sigma=3.0)
    optimizer = adam.build(weight)
    weight.weight.grad = torch.tensor([[0.2]])
    optimizer.step()
    weight.weight.grad = torch.tensor([[-5.0]])
    adam.clip(optimizer)
    torch.testing.assert_close(weight.weight.grad, torch.tensor([[-(3 * 0.2 + 0.1)]]))


def test_the_average_of_weights():
    """Against the recursion by hand; buffers are copied, not averaged."""
    module = torch.nn.BatchNorm1d(2)
    average = ema_init(module)
    expected = torch.ones(2)
    for step, value in enumerate((3.0, 5.0, 7.0)):
        with torch.no_grad():
            module.weight.fill_(value)
            module.running_mean.fill_(value)
        ema_update(average, module, 0.5, step)
        d = min(0.5, (1 + step) / (10 + step))
        expected = d * expected + (1 - d) * value
    torch.testing.assert_close(average["weight"], expected)
    assert (average["running_mean"] == 7).all()


@pytest.mark.parametrize("damage", ["counters", "cut", "edited", "missing", "newer", "recipe", "state"])
def test_damaged_checkpoints_are_named(tmp_path, damage):
    run = train(small(), out=tmp_path / "a")
    folder = run.newest_checkpoint()
    file, state = folder / "ema.safetensors", folder / "state.json"
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-10])
    elif damage == "edited":
        file.write_bytes(file.read_bytes()[:-1] + b"\x01")
    elif damage == "counters":
        facts = json.loads(state.read_text())
        state.write_text(json.dumps({**facts, "counters": {**facts["counters"], "step": 1}}))
    elif damage == "missing":
        file.unlink()
    elif damage == "newer":
        state.write_text(json.dumps({**json.loads(state.read_text()), "format_version": 99}))
    elif damage == "recipe":
        facts = {**json.loads(state.read_text()), "recipe": "another"}
        facts["sha256"]["state.json"] = checkpoint._digest(facts)
        state.write_text(json.dumps(facts))
    else:
        state.write_text("{")
    words = {
        "newer": "format_version 99",
        "recipe": "another recipe",
        "state": "state.json",
        "counters": "state.json",
    }.get(damage, "ema.safetensors")
    for use in (load, resume):
        with pytest.raises(UserError, match=words):
            use(run.path)


def test_no_space_leaves_nothing_half_written(loop, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "_save", full)
    made, run = loop([Phase(OBJECTIVE, 5)])
    with pytest.raises(UserError, match="No space left"):
        made.fit()
    assert list((run.path / "checkpoints").iterdir()) == []


def test_a_run_in_use_is_left_alone(tmp_path):
    run = train(small(), out=tmp_path / "a")
    run.lock()
    try:
        with pytest.raises(UserError, match="in use"):
            resume(run.path)
    finally:
        run.release()


def test_a_model_in_one_file(tmp_path):
    run = train(small(), out=tmp_path / "a")
    model = load(run.path)
    model.export(tmp_path / "model.safetensors")
    twin = load(tmp_path / "model.safetensors")
    x = torch.rand(3, 1, 8, 8)
    assert torch.equal(model.score(x), twin.score(x)) and torch.equal(
        *(m.sample(2, steps=3, generator=torch.Generator().manual_seed(1)) for m in (model, twin))
    )
    (tmp_path / "model.safetensors").write_bytes(b"short")
    with pytest.raises(UserError, match="not a model"):
        load(tmp_path / "model.safetensors")


def test_weight_decay_shrinks_weights_beside_the_gradient():
    """Without a gradient a weight loses lr x decay of itself an update."""
    layer = torch.nn.Linear(3, 1, bias=False)
    before, optimizer = layer.weight.detach().clone(), Adam(lr=0.1, weight_decay=0.5).build(layer)
    layer.weight.grad = torch.zeros_like(layer.weight)
    optimizer.step()
    torch.testing.assert_close(layer.weight.detach(), before * (1 - 0.1 * 0.5))


def test_gradients_come_in_the_layout_of_their_parameters():
    """The fused optimiser takes an expanded gradient, or one in another order, for what it is not."""
    parameter = torch.nn.Parameter(torch.rand(4, 3, 2, 2).contiguous(memory_format=torch.channels_last))
    for grad in (torch.tensor(0.3).expand(4, 3, 2, 2), torch.rand(4, 3, 2, 2)):
        laid = laid_out(grad, parameter)
        assert laid.stride() == parameter.stride() and torch.equal(laid, grad)
    dense = torch.nn.Parameter(parameter.detach().clone(memory_format=torch.contiguous_format))
    for p in (parameter, dense):
        optimizer = Adam(lr=0.1).build(torch.nn.ParameterList([p]))
        p.grad = laid_out(grad, p)
        optimizer.step()
    torch.testing.assert_close(parameter.detach(), dense.detach())


def test_moments_come_back_in_the_layout_of_their_parameters():
    """A checkpoint keeps tensors in row-major order; the update after it is the one that would have been."""
    rng, weights = torch.Generator().manual_seed(0), []
    start = torch.rand(4, 3, 2, 2, generator=rng).contiguous(memory_format=torch.channels_last)
    grads = [torch.rand(4, 3, 2, 2, generator=rng) for _ in range(3)]
    for stops in (False, True):
        parts = torch.nn.ParameterList([torch.nn.Parameter(start.clone())])
        optimizer = Adam(lr=0.1, beta1=0.9).build(parts)
        for i, grad in enumerate(grads):
            if stops and i == 2:
                kept = {name: value.contiguous() for name, value in _optimizer_tensors(optimizer).items()}
                optimizer = Adam(lr=0.1, beta1=0.9).build(parts)
                _load_optimizer(optimizer, kept)
            parts[0].grad = laid_out(grad, parts[0])
            optimizer.step()
        weights.append(parts[0].detach())
    assert torch.equal(*weights)


def test_a_loss_that_parts_share_is_differentiated_once(tmp_path):
    calls = []

    class Shared(ContrastiveDivergence):
        def step(self, parts, state, batch, rng):
            result = super().step(parts, state, batch, rng)
            loss = sum(p.square().sum() for part in parts.values() for p in part.parameters())
            loss.register_hook(lambda grad: calls.append(1))
            return result._replace(losses={"energy": loss, "other": loss})

    run = Run.create(tmp_path / "a", {})
    parts = {"energy": MLP(4, (8,)), "other": torch.nn.Linear(4, 1, bias=False)}
    before = parts["other"].weight.detach().clone()
    objective = Shared(OBJECTIVE.kernel, 2, OBJECTIVE.buffer)
    Loop(parts, [Phase(objective, 3)], torch.rand(64, 4), Settings(batch_size=8)).fit(run)
    run.release()
    assert len(calls) == 3 and not torch.equal(parts["other"].weight, before)


@pytest.mark.parametrize(
    "optimizer",
    [TorchOptimizer(lr=1e-3, name="SGD", options={"momentum": 0.9}), TorchOptimizer(lr=1e-3, name="RMSprop")],
    ids=lambda optimizer: optimizer.name,
)
def test_optimisers_of_torch_resume_to_the_bit(tmp_path, optimizer):
    straight = train(small(optimizer=optimizer), out=tmp_path / "a")
    resumed = resume(copy_until(straight, 5, tmp_path / "b"))
    assert same(tensors(straight, 12), tensors(resumed, 12))
    assert any(name.startswith("optimizer/") for name in tensors(straight, 5))


def test_training_leaves_the_users_random_states_and_settings(tmp_path):
    def states():
        numbers = np.random.get_state()
        return (
            (torch.get_rng_state().tolist(), numbers[1].tolist(), numbers[2:], random.getstate()),
            (torch.get_num_threads(), torch.get_default_dtype(), torch.get_float32_matmul_precision()),
        )

    before = states()
    load(train(small(), out=tmp_path / "a").path)
    assert states() == before


@pytest.mark.parametrize("by_class", [False, True])
def test_a_buffer_of_one_batch_trains(tmp_path, by_class):
    train(small(buffer=ReplayBuffer(capacity=16, by_class=by_class)), out=tmp_path / "a")
    x, objective = torch.rand(40, 4), replace(OBJECTIVE, buffer=ReplayBuffer(capacity=8))
    own = {"energy": MLP(4, (8,)), "data": x, "objective": objective, "steps": 5}
    train(**own, settings=Settings(batch_size=8), out=tmp_path / "b")
    with pytest.raises(UserError, match="buffer's capacity 8"):
        train(**own, settings=Settings(batch_size=9), out=tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_an_exported_file_that_was_changed_is_refused(tmp_path):
    raw = bytearray((DATA / "model-0.2.safetensors").read_bytes())
    file, header = tmp_path / "model.safetensors", 8 + int.from_bytes(raw[:8], "little")
    assert load(DATA / "model-0.2.safetensors").classes == 10
    seed, step_size = raw.index(b'"seed\\": 3') + 9, raw.index(b"0.18")
    for place in (0, 9, seed, step_size + 3, raw.index(b'"shape":[') + 9, header, header + 5000, len(raw) - 1):
        changed = raw.copy()
        changed[place] ^= 1
        file.write_bytes(changed)
        with pytest.raises(UserError, match="model"):
            load(file)
    file.write_bytes(raw[:-4])
    with pytest.raises(UserError, match="not a model"):
        load(file)


@pytest.mark.parametrize("version", ["0.1", "0.2"])
def test_files_of_earlier_versions_load(version):
    """The scores and energies are those that the version of the file computed."""
    model, x = load(DATA / f"model-{version}.safetensors"), torch.linspace(0, 1, 128).reshape(2, 1, 8, 8)
    torch.testing.assert_close(model.score(x), torch.tensor([35.5084, 191.71509]), rtol=1e-5, atol=0)
    energies = model.energy(x, torch.tensor([3, 7]))
    torch.testing.assert_close(energies, torch.tensor([37.760147, 194.08136]), rtol=1e-5, atol=0)


def test_weights_that_are_not_finite_are_neither_written_nor_read(tmp_path):
    model, file = load(DATA / "model-0.2.safetensors"), tmp_path / "model.safetensors"
    with safe_open(DATA / "model-0.1.safetensors", "pt") as stored:  # without a checksum
        header, weights = stored.metadata(), {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    weights["network.layers.0.bias"][0] = torch.nan
    save_file(weights, file, metadata=header)
    with pytest.raises(UserError, match=r"not finite: energy/network\.layers\.0\.bias"):
        load(file)
    next(model.energy.network.parameters()).fill_(torch.inf)
    with pytest.raises(UserError, match="not finite"):
        model.export(tmp_path / "other.safetensors")
    assert not (tmp_path / "other.safetensors").exists()
