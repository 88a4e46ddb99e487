"""Trainings that begin at the weights of another model."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from energybased import MLP, ContrastiveDivergence, Langevin, ReplayBuffer, UserError, load, resume, train
from energybased.cli import main
from energybased.models import shipped
from energybased.recipes import Dense, digits, digits_latent
from energybased.report.section import Contents
from energybased.report.sections.repeat import Repeat
from energybased.training import Settings
from energybased.training.checkpoint import load_group

EAGER = replace(digits().sampler, engine="eager")
BUFFER = ReplayBuffer(capacity=160, by_class=True)
SMALL = {"steps": 10, "batch_size": 16, "network": Dense((8,)), "buffer": BUFFER, "sampler": EAGER}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(digits(**SMALL), out=tmp_path_factory.mktemp("runs") / "a")


def first(run, group="model"):
    """The weights, or their averages, of the checkpoint before the first update."""
    return load_group(run.checkpoint(0), group)


def same(mine, other):
    return mine.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in mine.items())


def test_a_training_begins_at_the_averages_of_a_run(run, tmp_path):
    averages = load_group(run.newest_checkpoint(), "ema")
    assert not same(averages, load_group(run.newest_checkpoint(), "model"))
    on = train(digits(**SMALL, seed=1), out=tmp_path / "b", init_from=run.path)
    assert same(first(on), averages) and same(first(on, "ema"), averages)
    assert not same(load_group(on.newest_checkpoint(), "model"), averages)
    told = on.recipe["init_from"]
    assert told["model"] == str(run.path) and told["parts"] == ["energy"]
    assert (told["recipe"], told["step"]) == ("digits", 10) and run.recipe["init_from"] is None


def test_a_training_begins_at_a_file_and_at_a_name(run, tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    load(run.path).export(tmp_path / "tiny-digits.safetensors", dtype=torch.bfloat16)
    begun = [
        train(digits(**SMALL), out=tmp_path / name, init_from=model)
        for name, model in (("b", tmp_path / "tiny-digits.safetensors"), ("c", "tiny-digits"))
    ]
    assert same(*map(first, begun))
    assert all(value.dtype == torch.float32 for value in first(begun[0]).values())
    facts = [one.recipe["init_from"] for one in begun]
    assert facts[0]["sha256"] == facts[1]["sha256"] and facts[1]["model"] == "tiny-digits"


def test_it_resumes_to_the_bit_without_its_source(run, tmp_path):
    """The source is gone, or another one is in its place: the run goes on from its own checkpoint."""
    source = tmp_path / "source"
    shutil.copytree(run.path, source)
    straight = train(digits(**SMALL, checkpoint_every=5), out=tmp_path / "b", init_from=source)
    shutil.rmtree(source)
    for step in (0, 5):
        cut = tmp_path / f"cut{step}"
        shutil.copytree(straight.path, cut)
        for later in (cut / "checkpoints").iterdir():
            if int(later.name) > step:
                shutil.rmtree(later)
        resumed = resume(cut)
        for group in ("model", "ema", "optimizer"):
            assert same(*(load_group(one.newest_checkpoint(), group) for one in (straight, resumed)))
    facts = json.loads((cut / "recipe.json").read_text())
    facts["init_from"]["sha256"] = "0"
    (cut / "recipe.json").write_text(json.dumps(facts))
    with pytest.raises(UserError, match="is not as it was written"):
        resume(cut)


def test_weights_that_do_not_fit_are_named(run, tmp_path):
    wide = digits(**{**SMALL, "network": Dense((9,))})
    with pytest.raises(UserError, match=r"energy/network\S* is \(8, 74\) there and \(9, 74\) here"):
        train(wide, out=tmp_path / "b", init_from=run.path)
    with pytest.raises(UserError, match=r"energy/network\S* is here alone; and \d more"):
        train(digits(**{**SMALL, "network": Dense((8, 8, 8))}), out=tmp_path / "b", init_from=run.path)
    with pytest.raises(UserError, match="it has energy, but the recipe trains prior, generator"):
        train(digits_latent(steps=10), out=tmp_path / "b", init_from=run.path)
    assert not (tmp_path / "b").exists()


def test_weights_in_another_precision_are_the_same(run, tmp_path, monkeypatch):
    monkeypatch.setattr("energybased.recipes.recipe.bfloat16_pays", lambda device: True)
    half = train(digits(**SMALL, precision="bfloat16"), out=tmp_path / "b", init_from=run.path)
    assert any(".module." in name for name in first(half))
    plain = [value for _, value in sorted(load_group(run.newest_checkpoint(), "ema").items())]
    assert all(torch.equal(*pair) for pair in zip([v for _, v in sorted(first(half).items())], plain, strict=True))
    back = train(digits(**SMALL), out=tmp_path / "c", init_from=half.path)
    assert same(
        first(back), {n.replace("module.", ""): v for n, v in load_group(half.newest_checkpoint(), "ema").items()}
    )


def test_a_network_of_ones_own_begins_at_a_run(tmp_path):
    own = {"objective": ContrastiveDivergence(Langevin(0.1, 0.1), 2, ReplayBuffer(capacity=16)), "steps": 4}
    own |= {"data": torch.rand(64, 3), "settings": Settings(batch_size=8)}
    before = train(energy=MLP(3, (4,)), **own, out=tmp_path / "a")
    on = train(energy=MLP(3, (4,)), **own, out=tmp_path / "b", init_from=before.path)
    assert same(first(on), load_group(before.newest_checkpoint(), "ema"))


def test_a_latent_model_learns_its_stages_anew(tmp_path):
    """A stage counts as learned in the new run only once it has learned there."""
    recipe = digits_latent(steps=8, batch_size=16)
    before = train(recipe, out=tmp_path / "a")
    model = load(before.path)
    model.prior.active.fill_(1)
    model.export(tmp_path / "learned.safetensors")
    on = train(recipe, out=tmp_path / "b", init_from=tmp_path / "learned.safetensors")
    assert on.recipe["init_from"]["parts"] == ["prior", "generator", "encoder"]
    assert not load_group(on.newest_checkpoint(), "model")["prior/active"].bool().any()


def test_the_command_line_begins_at_a_model(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small = ["--steps", "4", "--batch-size", "16", "--network.hidden", "8", "--buffer.capacity", "160"]
    assert main(["train", "digits", *small, "--name", "b", "--from", str(run.path)]) == 0
    assert load("runs/b").spec.event == (1, 8, 8)
    assert main(["train", "digits", *small, "--name", "c", "--from", "nothing"]) == 2
    assert "there is no run or exported model at nothing" in capsys.readouterr().err
    assert not Path("runs/c").exists()
    assert main(["train", "--resume", "runs/b", "--from", str(run.path)]) == 2
    assert "a resumed run keeps its settings" in capsys.readouterr().err


def test_the_report_tells_what_a_run_began_from(run, tmp_path):
    on = train(digits(**SMALL), out=tmp_path / "b", init_from=run.path)
    (command, *_) = Repeat().bodies(Contents(on, None, (), ""))
    assert f"--from {run.path}" in command
    (command, *_) = Repeat().bodies(Contents(run, None, (), ""))
    assert "--from" not in command


def test_a_damaged_source(run, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(run.path, source)
    file = max((source / "checkpoints").iterdir()) / "ema.safetensors"
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(UserError, match="not as it was written"):
        train(digits(**SMALL), out=tmp_path / "b", init_from=source)
