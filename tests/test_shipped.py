"""Models that come with the package: their files, their names, and the script that writes them."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from energybased import Adam, ReplayBuffer, UserError, evaluate, load, resume, train
from energybased.cli import main
from energybased.models import shipped
from energybased.models.file import digest
from energybased.recipes import Dense, digits, mnist_energy
from energybased.recipes.network import UNetField

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))
rows = pytest.importorskip("rows")
ship = pytest.importorskip("ship")

LARGEST = 30_000_000  # bytes
EAGER = replace(digits().sampler, engine="eager")
BUFFER = ReplayBuffer(capacity=160, by_class=True)
SMALL = {"steps": 10, "batch_size": 16, "network": Dense((8,)), "buffer": BUFFER, "sampler": EAGER}
NAMES = sorted(shipped.shipped())  # before a test changes the folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(digits(**SMALL), out=tmp_path_factory.mktemp("runs") / "a")


@pytest.fixture
def folder(run, tmp_path, monkeypatch):
    """An empty folder to work in, and a package with one shipped model, `tiny-digits`, whose file is returned."""
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "weights")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    load(run.path).export(tmp_path / "weights" / "tiny-digits.safetensors", dtype=torch.bfloat16)
    return tmp_path / "weights" / "tiny-digits.safetensors"


def refused(capsys, *arguments):
    """The sentence with which the command line refuses."""
    assert main(list(arguments)) == 2
    said = capsys.readouterr().err.strip()
    assert "\n" not in said
    return said


def rewritten(file, to, **header):
    """The file with other entries in its header, and a checksum that fits them."""
    with safe_open(file, "pt") as stored:
        weights = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        facts = {**stored.metadata(), **header}
    facts.pop("sha256")
    save_file(weights, to, metadata={**facts, "sha256": digest(facts, weights)})


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_model_loads_and_has_a_card(name):
    model = load(name)
    assert model.score(torch.full((1, *model.spec.event), 0.5)).isfinite().all()
    assert shipped.shipped()[name].with_suffix(".md").read_text().startswith(f"# {name}\n")


def test_shipped_models_are_small():
    assert sum(file.stat().st_size for file in shipped.shipped().values()) <= LARGEST


def test_weights_in_half_of_the_space(run, tmp_path):
    """Parameters are stored in bfloat16 and computed with in float32; buffers are exact."""
    model, file = load(run.path), tmp_path / "model.safetensors"
    model.export(file, dtype=torch.bfloat16)
    twin = load(file)
    for (name, mine), (_, other) in zip(model.energy.named_parameters(), twin.energy.named_parameters(), strict=True):
        assert other.dtype == torch.float32 and torch.equal(mine.bfloat16().float(), other), name
    assert all(torch.equal(*pair) for pair in zip(model.energy.buffers(), twin.energy.buffers(), strict=True))
    assert twin.fitted == model.fitted
    with pytest.raises(UserError, match=r"not in torch\.int8"):
        model.export(file, dtype=torch.int8)


def test_weights_beyond_a_type_are_not_written(run, tmp_path):
    model = load(run.path)
    next(model.energy.parameters()).fill_(1e6)
    with pytest.raises(UserError, match="not finite"):
        model.export(tmp_path / "model.safetensors", dtype=torch.float16)
    assert not (tmp_path / "model.safetensors").exists()


def test_a_name_instead_of_a_run(folder, capsys):
    assert torch.equal(load("tiny-digits").score(torch.zeros(1, 1, 8, 8)), load(folder).score(torch.zeros(1, 1, 8, 8)))
    np.savez("x.npz", x=np.random.default_rng(0).random((3, 1, 8, 8), dtype=np.float32))
    for verb in (
        ("sample", "tiny-digits", "-n", "20", "--steps", "2", "--out", "x.png"),
        ("sample", "tiny-digits", "-n", "2", "--steps", "2"),
        ("score", "tiny-digits", "x.npz"),
        ("classify", "tiny-digits", "x.npz"),
        ("restore", "tiny-digits", "x.npz", "--noise", "gaussian=0.3", "--candidates", "1", "--steps", "2"),
    ):
        assert main(list(verb)) == 0, capsys.readouterr().err
    assert {"x.png", "samples.png", "restored.png"} <= {file.name for file in Path().iterdir()}
    capsys.readouterr()
    assert main(["recipes"]) == 0 and "instead of a run: tiny-digits" in capsys.readouterr().out


def test_a_name_that_is_none(folder, capsys):
    said = refused(capsys, "sample", "tiny-digit")
    assert "no shipped model of this name: did you mean 'tiny-digits'? (known: tiny-digits)" in said
    assert "known: tiny-digits" in refused(capsys, "score", "other", "x.npz")
    folder.unlink()
    with pytest.raises(UserError, match=r"^there is no run or exported model at tiny-digits$"):
        load("tiny-digits")


@pytest.mark.parametrize("verb", [["evaluate"], ["report"], ["train", "--resume"], ["doctor"]], ids=" ".join)
def test_verbs_that_need_a_run_say_so(folder, capsys, verb):
    said = refused(capsys, *verb, "tiny-digits")
    assert said == (
        "ebm: tiny-digits is a shipped model, not a run, which is a folder with checkpoints that ebm train writes"
    )
    for call in (evaluate, resume):
        with pytest.raises(UserError, match="is a shipped model, not a run"):
            call("tiny-digits")


def test_what_exists_wins_over_a_name(folder, run, capsys):
    Path("tiny-digits").mkdir()
    assert "the folder tiny-digits is not a run, and hides the shipped model" in refused(
        capsys, "sample", "tiny-digits"
    )
    Path("tiny-digits").rmdir()
    Path("tiny-digits").symlink_to(run.path)
    assert torch.equal(*(load(path).score(torch.ones(1, 1, 8, 8)) for path in ("tiny-digits", run.path)))
    Path("tiny-digits").unlink()
    Path("tiny-digits").write_text("something else")
    assert "tiny-digits is not a model" in refused(capsys, "sample", "tiny-digits")


def test_a_damaged_shipped_model(folder, capsys):
    raw = folder.read_bytes()
    folder.write_bytes(raw[:-4])
    assert "tiny-digits.safetensors is not a model" in refused(capsys, "sample", "tiny-digits")
    folder.write_bytes(raw[:-4] + bytes(4))
    assert "has changed since it was written" in refused(capsys, "sample", "tiny-digits")


def test_weights_of_another_version(folder, run, capsys):
    """Of a later format; with settings, or networks, that this version does not know."""
    settings = run.recipe["settings"]
    wider = json.dumps({**settings, "network": {**settings["network"], "hidden": [9]}})
    for header, words in (
        ({"format_version": "99"}, "has format_version 99; this version reads up to"),
        ({"energybased": "9.9", "recipe": json.dumps({**settings, "novel": 1})}, "EnergyRecipe has no setting 'novel'"),
        ({"energybased": "9.9", "recipe": wider}, "do not fit the networks of its recipe"),
    ):
        rewritten(folder, Path("model.safetensors"), **header)
        said = refused(capsys, "sample", "model.safetensors")
        assert words in said
        assert "energybased" not in header or "was written by version 9.9 of energybased, and this is version" in said


def test_an_exported_model_computes_in_float32_where_bfloat16_is_slower(tmp_path, monkeypatch):
    monkeypatch.setattr("energybased.recipes.recipe.bfloat16_pays", lambda device: True)
    run = train(digits(**SMALL, precision="bfloat16"), out=tmp_path / "a")
    model, file = load(run.path), tmp_path / "model.safetensors"
    assert any("BFloat16" in type(part).__name__ for part in model.energy.modules())
    model.export(file)
    for pays in (True, False):
        monkeypatch.setattr("energybased.runs.load.bfloat16_pays", lambda device, pays=pays: pays)
        kinds = [type(part).__name__ for part in load(file).energy.modules()]
        assert ("BFloat16" in kinds) == pays
    load(file).export(tmp_path / "again.safetensors")
    torch.testing.assert_close(*(load(f).score(torch.ones(1, 1, 8, 8)) for f in (file, tmp_path / "again.safetensors")))


@pytest.fixture(scope="module")
def levels(tmp_path_factory):
    """A run of a recipe over levels of noise, with other choices than the recipe's present ones."""
    recipe = mnist_energy(
        data="digits",
        network=UNetField((8, 8), 1, 2),
        steps=4,
        batch_size=8,
        guidance=3.0,
        noise=0.3,
        score_by="typicality",
        optimizer=Adam(lr=1e-3),
    )
    return train(recipe, out=tmp_path_factory.mktemp("runs") / "levels")


def test_a_run_is_shipped_with_its_card(levels, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    monkeypatch.setattr(rows, "RESULTS", tmp_path)
    now, file = mnist_energy(score_by="typicality"), tmp_path / "mnist-energy.safetensors"
    monkeypatch.setattr(ship, "find_recipe", lambda name: now)
    ship.main(str(levels.path))
    model = load("mnist-energy")
    assert (model.guidance, model.noise, model.sampler) == (now.guidance, now.noise, now.sampler)
    before = load(levels.path).at(now.noise).energies(torch.ones(1, 1, 8, 8) / 2)
    torch.testing.assert_close(model.energies(torch.ones(1, 1, 8, 8) / 2), before, rtol=0.02, atol=0.5)
    # What was fitted is that of the present level.
    assert model.fitted.mean_energy != load(levels.path).fitted.mean_energy
    text = file.with_suffix(".md").read_text()
    command = "`ebm train mnist-energy --steps 4 --seed 0 "
    assert all(words in text for words in ("# mnist-energy", command, "4 updates", "Apache-2.0", "`noise` 0.1"))
    assert (
        "--network.widths 8 8" in text
        and "--guidance" not in text
        and "No file of results/ has values of this run." in text
    )
    with safe_open(file, "pt") as stored:
        assert {stored.get_tensor(name).dtype for name in stored.keys()} == {torch.bfloat16, torch.float32}  # noqa: SIM118
    monkeypatch.setattr(ship, "LARGEST", 1000)
    with pytest.raises(UserError, match=r"shipped models take .* MB"):
        ship.main(str(levels.path))


def test_a_card_has_the_values_of_its_run_alone(levels, tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    monkeypatch.setattr(rows, "RESULTS", tmp_path)
    seconds = levels.lines("metrics.jsonl")[-1]["processor_seconds"]
    for own, words in (
        (seconds, "| fd | test | 12.5 | p |"),
        (seconds + 60, "No file of results/ has values of this run."),
    ):
        found = rows.Measured("mnist-energy", [7, 0], "c")
        for one, distance in ((1.0, 99.5), (own, 12.5)):
            found.add(one / 60, "CPU time", one, system="mnist-energy", metric="minutes", split="test")
            found.add(distance, "p", 1.0, system="mnist-energy", metric="fd", split="test")
        found.write()
        ship.main(str(levels.path))
        text = (tmp_path / "mnist-energy.md").read_text()
        assert words in text and "99.5" not in text


def test_what_is_not_shipped(levels, tmp_path):
    x, y = torch.rand(60, 1, 8, 8), torch.arange(60) % 10
    own = train(digits(**{**SMALL, "steps": 2}), data=(x, y), out=tmp_path / "own")
    with pytest.raises(UserError, match="data that others do not have"):
        ship.main(str(own.path))
    shutil.copytree(levels.path, tmp_path / "cut")
    shutil.rmtree(max((tmp_path / "cut" / "checkpoints").iterdir()))
    with pytest.raises(UserError, match="unfinished: only a finished run"):
        ship.main(str(tmp_path / "cut"))
