"""Shards of a batch, in one process and in several."""

import copy
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from energybased import ContrastiveDivergence, Langevin, ReplayBuffer, UserError, resume, train
from energybased.energies import MLP
from energybased.objectives import Result
from energybased.processes import ALONE, Processes, Told, launch
from energybased.training import Loop, Phase, Run, Settings, TorchOptimizer, checkpoint
from own import two

OWN = Path(__file__).parent / "own"
ALONE_ON_ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}


def tensors(run, step):
    folder = Path(run) / "checkpoints" / f"{step:08d}"
    return {f"{file.stem}/{k}": v for file in folder.glob("*.safetensors") for k, v in load_file(file).items()}


def differing(a, b):
    assert a.keys() == b.keys()
    return [name for name in a if not torch.equal(a[name], b[name])]


def test_two_processes_compute_what_one_computes(tmp_path):
    """Two processes give the bits of one, which can go on with their runs; their chains and decisions are all used.

    What they share of a model's samples, scores and likelihoods is what one computes.
    """
    command = [sys.executable, OWN / "two.py", "2", tmp_path / "pair"]
    done = subprocess.run(command, env=ALONE_ON_ONE_THREAD, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    pair = {name: Run.open(tmp_path / "pair" / name) for name in two.recipes()}
    states = {name: checkpoint.objectives(run.newest_checkpoint()) for name, run in pair.items()}
    for name, recipe in two.recipes().items():
        alone = train(recipe, out=tmp_path / name)
        last = int(alone.newest_checkpoint().name)
        assert last >= 20 and "shard-00001/now/rng/training" in tensors(alone.path, last)
        assert differing(tensors(alone.path, last), tensors(pair[name].path, last)) == []
        pair[name].drop_checkpoints_after(10)
        resume(pair[name].path)
        assert differing(tensors(alone.path, last), tensors(pair[name].path, last)) == []

    assert differing(two.shared(tmp_path / "pair", 1), load_file(tmp_path / "pair" / "shared.safetensors")) == []

    buffer = two.recipes()["energy"].buffer
    x, _ = buffer.contents(buffer.merge(states["energy"]), torch.Generator().manual_seed(0))
    first, second = states["energy"]
    assert len(x) == len(first["x"]) + len(second["x"]) and not torch.equal(first["x"], second["x"])
    first, second = states["latent"]
    assert all(torch.equal(first[name], second[name]) for name in ("mean", "square", "best", "since"))
    assert not torch.equal(first["pool"], second["pool"])


@pytest.mark.parametrize("victim", ["first", "other"])
def test_a_killed_process_ends_the_training(tmp_path, victim):
    command = [sys.executable, "-m", "energybased", "train", "digits", "--name", "a", "--devices", "2"]
    options = ["--checkpoint-every", "2", "--batch-size", "16"]
    first = subprocess.Popen(
        [*command, *options], cwd=tmp_path, env=ALONE_ON_ONE_THREAD, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        run = tmp_path / "runs" / "a"
        for _ in range(1200):
            if first.poll() is not None or (run / "checkpoints" / "00000002").is_dir():
                break
            time.sleep(0.1)
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True).stdout
        rows = [line.split(None, 2) for line in listed.splitlines()]
        (other,) = (int(pid) for pid, parent, args in rows if int(parent) == first.pid and "energybased" in args)
        os.kill(first.pid if victim == "first" else other, signal.SIGKILL)
        _, told = first.communicate(timeout=30)  # the pipe is open until both have ended
    finally:
        if first.poll() is None:
            os.killpg(first.pid, signal.SIGKILL)
    assert b"another process has ended" in told and b"ebm train --resume runs/a goes on" in told
    step = int(Run.open(run).newest_checkpoint().name)
    assert step >= 2 and b"Traceback" not in told


class Counting(nn.Module):
    """An energy with a buffer that every call changes."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 1)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += x.sum()
        return self.linear(x)[:, 0]


class Mean:
    """An objective that notes what it was called with."""

    vitals = ()

    def __init__(self):
        self.seen = []

    def init(self, parts, batch, rng):
        return {"first": torch.randn((), generator=rng)}

    def step(self, parts, state, batch, rng):
        before = parts["energy"].calls.clone()
        loss = parts["energy"](batch.x).mean()
        self.seen.append((batch, before, state["first"]))
        return Result({"energy": loss}, state, {"loss": loss.detach()})


def looped(tmp_path, objective, data, shards, energy=None, batch_size=8, steps=1):
    settings = Settings(batch_size=batch_size, shards=shards, optimizer=TorchOptimizer(lr=0.1))
    loop = Loop({"energy": energy or Counting()}, [Phase(objective, steps)], data, settings)
    run = Run.create(tmp_path / f"run{shards}", {}, overwrite=True)
    try:
        return loop.fit(run), run
    finally:
        run.release()


def test_an_update_is_the_mean_of_its_shards(tmp_path, rng):
    data, objective, energy = torch.randn(8, 2, generator=rng), Mean(), Counting()
    whole, _ = looped(tmp_path, Mean(), lambda n: data, 1, copy.deepcopy(energy))
    loss = float(energy(data).mean().detach())
    energy.calls.zero_()
    cut_in_four, run = looped(tmp_path, objective, lambda n: data, 4, energy)
    weights = [state.parts["energy"].linear.weight for state in (whole, cut_in_four)]
    torch.testing.assert_close(*weights)
    assert [len(batch.x) for batch, _, _ in objective.seen] == [2] * 4 and objective.seen[0][0].shards == 4
    assert torch.equal(torch.cat([batch.x for batch, _, _ in objective.seen]), data)
    assert len({float(first) for _, _, first in objective.seen}) == 4  # each shard has random numbers of its own
    assert all(float(before) == 0 for _, before, _ in objective.seen)  # each begins with the same buffers,
    assert float(energy.calls) == pytest.approx(float(data[:2].sum()))  # and those of the first stay
    assert run.lines("metrics.jsonl")[0]["loss"] == pytest.approx(loss, rel=1e-5)


def test_networks_draw_from_generators_of_their_shard(tmp_path, rng):
    """One update with dropout of shard 1 does not depend on how much shard 0 has drawn."""
    seen = []

    class Drawing(Mean):
        def step(self, parts, state, batch, rng):
            torch.rand(self.more if len(seen) == 0 else 1)
            seen.append(float(torch.rand(())))
            return super().step(parts, state, batch, rng)

    drawn = []
    for more in (1, 5):
        seen.clear()
        objective = Drawing()
        objective.more = more
        looped(tmp_path, objective, lambda n: torch.zeros(n, 2), 2)
        drawn.append(list(seen))
    assert drawn[0][0] != drawn[1][0] and drawn[0][1] == drawn[1][1] and drawn[0][0] != drawn[0][1]


def test_a_replay_buffer_is_shared_out(tmp_path):
    objective = ContrastiveDivergence(Langevin(0.1, 0.1), 2, ReplayBuffer(capacity=20, restart=0.5))
    state, _ = looped(tmp_path, objective, lambda n: torch.zeros(n, 2), 4, MLP(2, (4,)))
    assert [len(shard.objective["x"]) for shard in state.shards.values()] == [5] * 4


class Others(Processes):
    """The first of several processes, the others of which hold other facts."""

    def gather(self, value):
        return [value, *({**value, **other} for other in OTHERS)]


OTHERS = [{"settings.seed": 0}, {"settings.seed": 1}]


def test_what_cannot_be_shared_is_named(tmp_path):
    with pytest.raises(UserError, match=r"process 2 has settings.seed = 1, process 0 has 0"):
        Others(0, 3).agree({"settings": {"seed": 0}, "versions": {"torch": "2"}})
    with pytest.raises(Told):
        Others(1, 3).agree({"settings": {"seed": 0}})
    with pytest.raises(UserError, match="3 shards cannot be shared out equally among 2 processes"):
        Processes(0, 2).share(3)
    with pytest.raises(UserError, match="a batch of 8 rows cannot be cut into 3 shards"):
        Settings(batch_size=8, shards=3)
    with pytest.raises(UserError, match="a batch of 7 rows cannot be cut into 2 shards"):
        looped(tmp_path, Mean(), lambda n: torch.zeros(7, 2), 2)
    with pytest.raises(UserError, match="shards must be at least 1"):
        Settings(shards=0)


def test_processes_that_cannot_be_started_are_named():
    cores = os.cpu_count()
    for devices, nodes, device, words in (
        (0, 1, "cpu", "at least 1"),
        (1, -1, "cpu", "at least 1"),
        (cores + 1, 1, "cpu", f"{cores} processor cores"),
        (2, 1, "abacus", "no device"),
    ):
        with pytest.raises(UserError, match=words):
            launch(devices, nodes, device)
    assert launch(1, 1, "cpu") is ALONE


def test_an_error_of_the_first_process_is_told_once():
    class Second(Processes):
        def gather(self, value):
            return ["the disk is full", value]

    with pytest.raises(Told, match="the disk is full"):
        Second(1, 2).once(lambda: None)
    assert Told.told and not UserError.told


def test_machines_that_cannot_find_each_other(monkeypatch):
    for name in ("MASTER_ADDR", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match="set these variables, or start with torchrun or SLURM"):
        launch(1, 2, "cpu")
