"""The command: what it writes, and one clear sentence and exit code 2 for what the user must mend."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from energybased import MLP, EnergyModel, Network, Reals, Settings, UserError, Vector, load, train
from energybased.cli import VERBS, doctor, main
from energybased.cli.given import read_given
from energybased.data import DataSpec
from energybased.data.digits import digits
from energybased.data.pictures import save_png
from energybased.networks.bfloat16 import BFloat16
from energybased.objectives import Result, Vital
from energybased.report import report
from energybased.runs.evaluate import subject_of
from energybased.training import Run

DATA = Path(__file__).parent / "data"

QUICK = [
    "--steps",
    "4",
    "--network.hidden",
    "8",
    "--batch-size",
    "8",
    "--sampler.length",
    "5",
    "--checkpoint-every",
    "2",
]


def write_table(file, cell=None):
    """Columns a, b and c; with a cell, it is the third of b."""
    rows = [
        f"{a!r},{7.5 if cell is None else b},{c!r}" for a, b, c in np.random.default_rng(0).random((40, 3)).tolist()
    ]
    if cell is not None:
        rows[2] = f"1,{cell},2"
    file.write_text("\n".join(["a,b,c", *rows]))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(folder):
    assert main(["train", "digits", "--name", "a", *QUICK]) == 0
    return folder / "runs" / "a"


def test_a_run_is_a_folder(run, capsys):
    assert {"recipe.json", "metrics.jsonl", "events.jsonl", "samples", "checkpoints"} <= {p.name for p in run.iterdir()}
    assert sorted(p.name for p in (run / "checkpoints").iterdir()) == ["00000000", "00000002", "00000004"]
    names = {p.name for p in (run / "checkpoints" / "00000004").iterdir()}
    assert {"model", "ema", "optimizer", "sums", "rng", "shard-00000"} <= {
        name.removesuffix(".safetensors") for name in names
    }
    facts = json.loads((run / "recipe.json").read_text())
    assert (
        facts["settings"]["steps"] == 4
        and facts["settings"]["sampler"]["engine"] == "eager"
        and facts["versions"]["torch"]
    )
    capsys.readouterr()
    fitted = (run / "fitted.json").read_text()
    (run / "fitted.json").unlink()
    assert main(["train", "--resume", "runs/a"]) == 0 and "finished already" in capsys.readouterr().out
    assert (run / "fitted.json").read_text() == fitted


def test_sample(run, capsys):
    assert main(["sample", "runs/a", "-n", "5"]) == 0
    assert (run / "samples.png").is_file() and (run / "samples-film.png").is_file()
    assert main(["sample", "runs/a", "-n", "5", "--out", "x.npz"]) == 0
    x = np.load("x.npz")["x"]
    assert x.shape == (5, 1, 8, 8) and x.min() >= 0 and x.max() <= 1


def test_own_data_of_any_shape(folder, capsys):
    np.save("table.npy", 1000 + 50 * np.random.default_rng(0).normal(size=(60, 5)))
    assert main(["train", "digits", "--data", "table.npy", "--name", "t", *QUICK]) == 0
    assert main(["sample", "runs/t", "--out", "x.npz"]) == 0
    x = np.load("x.npz")["x"]
    assert x.shape == (64, 5) and 500 < x.mean() < 1500  # in the units of the file
    assert main(["report", "runs/t"]) == 0 and "Measurements" in (folder / "runs/t/report.html").read_text()
    assert main(["doctor", "runs/t"]) in (0, 1)


def test_report(run, capsys):
    assert main(["report", "runs/a"]) == 0
    page = (run / "report.html").read_text()
    assert "ebm train digits --batch-size 8" in page and page.count("data:image/png") >= 3 and "<svg" in page
    for section in ("Restored pictures", "From one class to another", "Confidence and accuracy"):
        assert f"<h2>{section}</h2>" in page
    assert "Accuracy under attack" not in page  # it was not measured
    assert not re.search(r'(src|href)="http|@import|url\(http', page)  # nothing is fetched from elsewhere
    rows = json.loads((run / "results.json").read_text())
    assert {("fd_buffer", "digits"), ("fd", "digits"), ("fd", "best mixture"), ("fd", "floor")} <= {
        (row["metric"], row["system"]) for row in rows
    }
    capsys.readouterr()
    assert main(["evaluate", "runs/a", "--metrics", "ood"]) == 0
    out = capsys.readouterr().out
    assert "flipped" in out and "floor" not in out  # only what was asked for
    again = json.loads((run / "results.json").read_text())
    assert {row["metric"] for row in again} == {row["metric"] for row in rows}  # the others are kept
    assert main(["evaluate", "runs/a", "--metrics", "fdd"]) == 2 and "did you mean 'fd'" in capsys.readouterr().err
    assert main(["evaluate", "runs/a", "--metrics", "mse"]) == 2 and "needs latent vectors" in capsys.readouterr().err


def test_doctor(run, capsys):
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    for word in ("torch", "threads", "compiler", "disk", "data in"):
        assert word in out
    assert main(["doctor", "runs/a"]) == 0
    assert "separation" in capsys.readouterr().out
    lines = (run / "metrics.jsonl").read_text().splitlines()
    (run / "metrics.jsonl").write_text(json.dumps({**json.loads(lines[-1]), "gap_in_sigmas": 1e9, "step": 9999}) + "\n")
    assert main(["doctor", "runs/a"]) == 1
    assert "lower the learning rate" in capsys.readouterr().out
    with (run / "events.jsonl").open("a") as events:
        events.write(json.dumps({"event": "stop", "step": 9, "seconds": 1.0, "reason": "loss is not finite"}) + "\n")
    assert main(["doctor", "runs/a"]) == 1
    assert "loss is not finite; lower the learning rate, or the step size of the sampler" in capsys.readouterr().out


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_doctor_finds_energies_that_bfloat16_rounds(offset, monkeypatch):
    """In bfloat16, energies near 10,000 are multiples of 64."""

    class Own(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(64, 1)
            self.layer.weight.data.fill_(1.0)
            self.layer.bias.data.fill_(offset)

        def forward(self, x):
            return self.layer(x.flatten(1))[:, 0]

    model = EnergyModel(Network(BFloat16(Own())), digits().spec)
    monkeypatch.setattr(doctor, "load", lambda path: model)
    run = SimpleNamespace(path=None, recipe={"settings": {"precision": "bfloat16"}})
    (finding,) = doctor.check_precision(run)
    assert finding.good == (offset == 0) and "nats" in finding.value


def test_doctor_names_a_damaged_checkpoint(run, capsys):
    file = run / "checkpoints" / "00000004" / "ema.safetensors"
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1
    file.write_bytes(raw)
    assert main(["doctor", "runs/a"]) == 2 and "ema.safetensors" in capsys.readouterr().err


def test_recipes(capsys):
    assert main(["recipes"]) == 0 and "digits" in capsys.readouterr().out
    assert main(["recipes", "digits"]) == 0 and "ebm train digits" in capsys.readouterr().out


def test_usage_names_every_verb(capsys):
    assert main([]) == 0
    out = capsys.readouterr().out
    assert all(verb in out for verb in VERBS)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["trian"], "did you mean 'train'"),
        (["train", "digit"], "did you mean 'digits'"),
        (["recipes", "digit"], "did you mean 'digits'"),
        (["train", "digits", "--seed", "99999999999999999999999"], "seed must be in"),
        (["train", "digits", "--name", "../x"], "not a valid name"),
        (["train", "digits", "--steps", "0"], "steps must be at least 1, got 0"),
        (["train", "digits", "--optimizer.lr", "-1"], "lr must be positive"),
        (["train", "digits", "--sampler.kernel.step-size", "0"], "step_size must be positive"),
        (["train", "digits", "--buffer.restart", "2"], "restart must be a probability"),
        (["train", "digits", "--batch-size", "5000"], "larger than buffer.capacity"),
        (["train", "digits", "--device", "gpu7"], "is no device"),
        (["train", "digits", "--device", "cuda:64"], "there is no device cuda:64"),
        (["sample", "runs/none", "--import", "gone.py"], "there is no file gone.py"),
        (["sample", "runs/none", "--import", "no_such_module"], "cannot import 'no_such_module'"),
        (["train", "digits", "--data", "nothing.npz"], "no data at nothing.npz"),
        (["train", "digits", "--data", "digist"], "did you mean 'digits'"),
        (["train", "images", "--data", "nofolder"], "no data set, folder or file 'nofolder'"),
        (["train", "digits-lebm"], "did you mean 'digits-latent-lebm'"),
        (["train", "table", "--data", "infinite.csv"], "missing or not finite in b"),
        (["train", "table", "--data", "empty.csv"], "missing or not finite in b"),
        (["train", "table", "--data", "text.csv"], "column 'b' of text.csv holds text"),
        (["train", "--resume", "runs/none"], "no run at runs/none"),
        (["train", "--resume", "runs/none", "--steps", "4"], "keeps its settings"),
        (["train", "digits", "--resume", "runs/none"], "keeps its settings"),
        (["sample", "runs/none"], "no run or exported model at runs/none"),
        (["report", "runs/none"], "no run at runs/none"),
        (["doctor", "runs/none"], "no run at runs/none"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_sentence_and_leaves_nothing(folder, capsys, arguments, words):
    for name, cell in {"infinite": "inf", "empty": "", "text": "red"}.items():
        write_table(folder / f"{name}.csv", cell)
    assert main(arguments) == 2
    error = capsys.readouterr().err.strip()
    assert words in error and error.startswith("ebm: ") and "\n" not in error and "Traceback" not in error
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    "arguments, word",
    [(["train", "digits", "--stpes", "5"], "--steps"), (["train", "digits", "--steps", "five"], "five")],
)
def test_misspelt_settings_exit_2_and_are_named(folder, capsys, arguments, word):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    captured = capsys.readouterr()
    assert stop.value.code == 2 and word in captured.err + captured.out
    assert not (folder / "runs").exists()


def test_names_that_are_taken_or_are_no_runs(run, capsys):
    assert main(["train", "digits", "--name", "a", *QUICK]) == 2
    assert "exists already" in capsys.readouterr().err
    (run / "recipe.json").write_text("{")
    assert main(["sample", "runs/a"]) == 2
    assert "recipe.json" in capsys.readouterr().err
    (run / "recipe.json").unlink()
    assert main(["sample", "runs/a"]) == 2
    assert "not a run" in capsys.readouterr().err


def test_an_edited_recipe_is_named(run, capsys):
    file = run / "recipe.json"
    file.write_text(re.sub('"steps": 4', '"steps": 400', file.read_text()))
    assert main(["train", "--resume", "runs/a"]) == 2
    assert "not as it was written" in capsys.readouterr().err


def test_a_run_without_a_checkpoint(run, capsys):
    import shutil

    shutil.rmtree(run / "checkpoints")
    for verb in (["sample", "runs/a"], ["report", "runs/a"], ["train", "--resume", "runs/a"]):
        assert main(verb) == 2
        assert "no checkpoint" in capsys.readouterr().err


def test_where_nothing_can_be_written(folder, capsys):
    (folder / "runs").write_text("a file, not a folder")
    assert main(["train", "digits", *QUICK]) == 2
    assert "cannot write the run runs/digits" in capsys.readouterr().err


def test_the_module_is_the_command(folder):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "energybased", "nonsense"], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 2 and done.stderr.startswith("ebm: there is no verb 'nonsense'")


@pytest.fixture
def latent(folder):
    quick = [
        "--steps",
        "6",
        "--coder.hidden",
        "8",
        "--ratio",
        "8",
        "--batch-size",
        "8",
        "--persistent-chains",
        "16",
        "--stages",
        "2",
    ]
    assert main(["train", "digits-latent", "--name", "z", *quick]) == 0
    return folder / "runs" / "z"


def test_a_latent_run_is_used_as_any_other(latent, capsys):
    assert main(["sample", "runs/z", "-n", "5"]) == 0
    assert (latent / "samples.png").is_file() and (latent / "samples-film.png").is_file()
    assert main(["doctor", "runs/z"]) in (0, 1) and "mse" in capsys.readouterr().out
    for arguments, words in (["--given", "1"], "not conditional"), (["--steps", "5"], "takes no steps"):
        assert main(["sample", "runs/z", *arguments]) == 2 and words in capsys.readouterr().err
    model = load(latent)
    for active, pictures in (0, 7), (1, 8):  # the nearest training examples are one of them
        model.prior.active.fill_(active)
        page = report(Run.open(latent), replace(subject_of(Run.open(latent)), model=model), [])
        assert "ebm train digits-latent --" in page and page.count("data:image/png") == pictures


def test_scores_are_lines_of_csv(run, latent, folder, capsys):
    x = np.random.default_rng(0).random((3, 1, 8, 8), dtype=np.float32)
    np.save("x.npy", x)
    for name in ("a", "z"):
        capsys.readouterr()
        assert main(["score", f"runs/{name}", "x.npy"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "name,score" and [line.split(",")[0] for line in lines[1:]] == ["0", "1", "2"]
        expected = load(f"runs/{name}").score(torch.from_numpy(x), generator=torch.Generator().manual_seed(0))
        np.testing.assert_allclose([float(line.split(",")[1]) for line in lines[1:]], expected, rtol=1e-4)
    (folder / "pictures").mkdir()
    for i in range(2):
        save_png(torch.from_numpy(x[i]), folder / "pictures" / f"{i}.png")
    save_png(torch.zeros(3, 9, 12), folder / "pictures" / "2.png")
    assert main(["score", "runs/z", "pictures", "--out", "scores.csv"]) == 0
    said = capsys.readouterr().err
    assert "3 of 3 pictures were scaled and cropped to 8 x 8" in said and "1 of 3 pictures were converted" in said
    assert [line.split(",")[0] for line in (folder / "scores.csv").read_text().splitlines()] == [
        "name",
        "0.png",
        "1.png",
        "2.png",
    ]


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("nothing.png", "there is nothing at"),
        ("odd.npy", "must hold x of (n, 1, 8, 8)"),
        ("wild.npy", "outside [0, 1]"),
        ("nan.npy", "not finite"),
        ("none.npy", "holds no examples"),
        ("text.png", "not a readable picture"),
        ("empty", "holds no pictures"),
        ("text.txt", "is not a table, a picture"),
    ],
)
def test_what_cannot_be_scored_is_named(latent, folder, capsys, what, words):
    np.save("odd.npy", np.zeros((2, 3, 8, 8), np.float32))
    np.save("wild.npy", np.full((2, 1, 8, 8), 2.0, np.float32))
    np.save("nan.npy", np.full((2, 1, 8, 8), np.nan, np.float32))
    np.save("none.npy", np.zeros((0, 1, 8, 8), np.float32))
    for name in ("text.png", "text.txt"):
        (folder / name).write_text("no picture")
    (folder / "empty").mkdir()
    assert main(["score", "runs/z", what]) == 2
    error = capsys.readouterr().err.strip()
    assert words in error and error.startswith("ebm: ") and "\n" not in error


def test_a_column_without_variance_is_named_and_kept(folder, capsys, caplog):
    write_table(folder / "table.csv")
    caplog.set_level("INFO")
    assert main(["train", "table", "--data", "table.csv", "--name", "t", *QUICK]) == 0
    assert "columns without variance are not standardised: b" in caplog.text
    assert main(["sample", "runs/t", "-n", "3", "--out", "rows.csv"]) == 0
    lines = [line.split(",") for line in (folder / "rows.csv").read_text().splitlines()]
    assert lines[0] == ["a", "b", "c"] and [line[1] for line in lines[1:]] == ["7.5"] * 3
    capsys.readouterr()
    assert main(["score", "runs/t", "table.csv"]) == 0 and len(capsys.readouterr().out.splitlines()) == 41


@pytest.mark.parametrize("verb", ["sample", "evaluate", "score"])
def test_devices_that_are_not_there_are_named(run, capsys, verb):
    np.save("x.npy", np.zeros((2, 1, 8, 8), np.float32))
    arguments = [verb, "runs/a", *(["x.npy"] if verb == "score" else [])]
    for device, words in (("nonsense", "'nonsense' is no device"), ("cuda:64", "there is no device cuda:64")):
        assert main([*arguments, "--device", device]) == 2
        error = capsys.readouterr().err.strip()
        assert words in error and "\n" not in error


def test_scores_that_are_not_finite_are_refused(folder, capsys):
    model = load(DATA / "model-0.2.safetensors")
    list(model.energy.network.parameters())[-1].fill_(3e38)
    list(model.energy.network.parameters())[-2].fill_(3e38)
    model.export("model.safetensors")
    np.save("x.npy", np.zeros((2, 1, 8, 8), np.float32))
    assert main(["score", "model.safetensors", "x.npy"]) == 2
    captured = capsys.readouterr()
    assert "2 of 2 scores are not finite" in captured.err and captured.out == ""


def test_a_given_class_has_a_film_whatever_the_number_of_samples(run):
    for n in ("3", "9"):
        assert main(["sample", "runs/a", "-n", n, "--given", "1"]) == 0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("1,2", "'1,2' is no class"),
        ("10", "'10' is no class"),
        ("wide.npy", "a row of wide.npy has 2 numbers"),
        ("half.npy", "whole numbers"),
        ("two.npz", "holds 2 arrays"),
    ],
)
def test_conditions_of_another_kind_or_width_are_named(run, capsys, given, words):
    np.save("wide.npy", np.zeros((3, 2), np.float32))
    np.save("half.npy", np.full(3, 0.5, np.float32))
    np.savez("two.npz", a=np.zeros(3, int), b=np.zeros(3, int))
    capsys.readouterr()
    assert main(["sample", "runs/a", "-n", "3", "--given", given]) == 2
    error = capsys.readouterr().err.strip()
    assert words in error and error.startswith("ebm: ") and "\n" not in error


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("1,2", "3 numbers"),
        ("red", "3 numbers"),
        ("1,2,inf", "not finite"),
        ("wide.npy", "a row of wide.npy has 2 numbers"),
    ],
)
def test_real_conditions_of_another_width_are_named(folder, given, words):
    np.save("wide.npy", np.zeros((3, 2), np.float32))
    np.save("right.npy", np.zeros((2, 3)))
    kinds = (Vector((3,)),)
    model = EnergyModel(MLP(2, (8,), kinds), DataSpec((2,), Reals()), None, 0.1, kinds)
    with pytest.raises(UserError, match=words):
        read_given(given, model, 4)
    assert read_given("right.npy", model, 4)[1] == 2
    with pytest.raises(UserError, match=r"shape \(batch, 3"):
        model.given(torch.zeros(4, 2))


def test_a_run_of_an_earlier_version_is_refused(run, capsys):
    file = run / "recipe.json"
    file.write_text(re.sub('"format_version": 2', '"format_version": 1', file.read_text()))
    for verb in (["sample", "runs/a"], ["report", "runs/a"], ["doctor", "runs/a"], ["train", "--resume", "runs/a"]):
        assert main(verb) == 2
        error = capsys.readouterr().err.strip()
        assert "format_version 1" in error and "train again" in error and "\n" not in error


class Pull:
    """An objective of the user's own: pulls the energies of the data down, with a vital or without."""

    def __init__(self, *vitals):
        self.vitals = vitals

    def init(self, parts, batch, rng):
        return {}

    def step(self, parts, state, batch, rng):
        loss = parts["energy"](batch.x).square().mean()
        return Result({"energy": loss}, state, {"height": loss.detach()})


@pytest.mark.parametrize("vitals", [(), (Vital("height", -1.0, 1e9, 0, "raise it"),)], ids=["none", "one"])
def test_doctor_knows_objectives_of_ones_own(folder, capsys, vitals):
    x = torch.rand(40, 4, generator=torch.Generator().manual_seed(0))
    own = {"energy": MLP(4, (8,)), "data": x, "objective": Pull(*vitals), "settings": Settings(batch_size=8)}
    run = train(**own, steps=25, out="runs/own")
    assert run.outcome == "finished" and "height" in run.lines("metrics.jsonl")[-1]
    assert main(["doctor", "runs/own"]) == 0
    out = capsys.readouterr().out
    assert ("height" in out) == bool(vitals) and "separation" not in out and "gap_in_sigmas" not in out


def test_import_runs_a_file_but_not_what_its_script_does(folder, capsys):
    (folder / "own_script.py").write_text(
        'print("of the file")\nif __name__ == "__main__":\n    print("of the script")\n'
    )
    assert main(["recipes", "--import", "own_script.py"]) == 0
    out = capsys.readouterr().out
    assert "of the file" in out and "of the script" not in out
    assert main(["--help"]) == 0 and 'if __name__ == "__main__":' in capsys.readouterr().out


def test_a_reader_that_has_gone_ends_the_output():
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run([sys.executable, "-m", "energybased", "recipes"], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")
