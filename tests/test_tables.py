"""Tables and arrays of a user's own: bad input is named in one sentence, and units and labels come back."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import energybased as eb
from energybased import conditions
from energybased.cli import main
from energybased.conditions import moments
from energybased.data import files, from_path
from energybased.recipes import Dense
from energybased.runs.evaluate import subject_of

DATA = Path(__file__).parent / "data"
QUICK = ["--steps", "4", "--network.hidden", "8", "--batch-size", "8", "--sampler.length", "5"]
SMALL = {"steps": 4, "network": Dense((8,)), "batch_size": 8}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to work in, and an empty cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def refused(capsys, *arguments):
    """What `ebm` says on one line when it refuses."""
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("ebm: ") and "\n" not in error and "Traceback" not in error
    return error


def rows(seed=0, n=40, columns=2):
    return np.random.default_rng(seed).normal(size=(n, columns))


def text(x, header="a,b", by=",", end="\n"):
    lines = [by.join(map(repr, row)) for row in x.tolist()]
    return end.join([*([header] if header else []), *lines]) + end


def read(name):
    with open(name, newline="") as file:
        header, *lines = csv.reader(file)
    return header, lines


LINES = ["1,2"] * 20
BAD = {
    "empty": ("", "holds no lines"),
    "header alone": ("a,b\n", "holds 0 examples; at least 10 are needed"),
    "few": ("a,b\n" + "1,2\n" * 9, "holds 9 examples; at least 10 are needed"),
    "ragged": ("\n".join(["a,b", "1,2", "3", *LINES]), "row 2 of t.csv has 1 cells, but the header has 2"),
    "twice": ("\n".join(["a,b,a", *["1,2,3"] * 20]), "several columns called a"),
    "an index": ("\n".join([",a,b", *["0,1,2"] * 20]), "column 1 of t.csv has no name"),
    "text": (
        "\n".join(["a,b", *LINES, "3,NA"]),
        "holds text, such as 'NA': leave it out, or make it the label with --label b",
    ),
    "missing": ("\n".join(["a,b,c,d", "inf,1,,1", *["1,2,3,4"] * 20]), "missing or not finite in a, c"),
    "no text": (b"a,b\n\xff\xfe,1\n", "cannot be read as CSV"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_tables_are_named(folder, capsys, kind):
    content, words = BAD[kind]
    Path("t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    said = refused(capsys, "train", "table", "--data", "t.csv", *QUICK)
    assert words in said and "t.csv" in said and not Path("runs").exists()


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("c", "t.csv has no column 'c' to be the label"),
        ("a", "t.csv has no columns besides the label"),
        ("b", "t.csv has labels that are missing"),
    ],
)
def test_bad_labels_are_named(capsys, label, words):
    content = "a\n" + "1\n" * 20 if label == "a" else "a,b\n1,\n" + "1,x\n" * 20
    Path("t.csv").write_text(content)
    assert words in refused(capsys, "train", "table", "--data", "t.csv", "--label", label, *QUICK)


def test_every_dialect_of_csv_is_the_same_table():
    x = rows()
    written = {
        "comma": text(x), "semicolon": text(x, "a;b", ";"), "tab": text(x, "a\tb", "\t"), "bar": text(x, "a|b", "|"),
        "dos": text(x, end="\r\n"), "marked": "\ufeff" + text(x), "spaced": text(x, "a, b", ", "),
        "quoted": text(x, '"a","b"'), "blank": text(x).replace("\n", "\n\n"), "nameless": text(x, ""),
    }  # fmt: skip
    for kind, content in written.items():
        Path("t.csv").write_bytes(content.encode())
        data = from_path("t.csv")
        assert data.domain.columns == (("x0", "x1") if kind == "nameless" else ("a", "b")), kind
        assert torch.equal(torch.cat([s.take().x for s in data.splits]).sort(0).values, torch.tensor(x).sort(0).values)


def test_a_model_finds_its_columns_by_name(capsys):
    x = rows()
    Path("t.csv").write_text(text(x))
    assert main(["train", "table", "--data", "t.csv", "--name", "t", *QUICK]) == 0
    Path("swapped.csv").write_text(text(np.c_[np.zeros(40), x[:, ::-1]], "c,b,a"))
    printed = {}
    for name in ("t", "swapped"):
        capsys.readouterr()
        assert main(["score", "runs/t", f"{name}.csv"]) == 0
        printed[name] = capsys.readouterr()
    assert printed["t"].out == printed["swapped"].out and len(printed["t"].out.splitlines()) == 41
    assert "ignored: c" in printed["swapped"].err and "ignored" not in printed["t"].err

    Path("less.csv").write_text(text(x, "a,B"))
    said = refused(capsys, "score", "runs/t", "less.csv")
    assert "less.csv has no column 'b'" in said and "known: B, a" in said
    Path("nameless.csv").write_text(text(x, ""))
    assert "nameless.csv has no column 'a'" in refused(capsys, "score", "runs/t", "nameless.csv")
    Path("gap.csv").write_text(text(x) + "1.0,\n")
    assert "missing or not finite in b" in refused(capsys, "score", "runs/t", "gap.csv")
    Path("text.csv").write_text(text(x) + "1.0,high\n")
    said = refused(capsys, "score", "runs/t", "text.csv")
    assert said.endswith("holds text, such as 'high': leave missing cells empty")
    np.save("wide.npy", rows(columns=3))
    assert "must hold x of (n, 2), got (40, 3)" in refused(capsys, "score", "runs/t", "wide.npy")


LABELS = {"text": ("cat", "dog", "emu"), "from 1": (1, 2, 3), "gaps": (10, 20, 70)}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_come_back_as_they_were(capsys, caplog, kind):
    caplog.set_level("INFO")
    known = [str(label) for label in LABELS[kind]]
    lines = [f"{a!r},{known[i % 3]},{b!r}" for i, (a, b) in enumerate(rows(n=60).tolist())]
    Path("t.csv").write_text("\n".join(["a,kind,b", *lines]))
    command = ["train", "table", "--data", "t.csv", "--label", "kind", "--conditional", "True", "--name", "t", *QUICK]
    assert main(command) == 0
    assert f"labels {', '.join(known)} are numbered 0 ... 2" in caplog.text

    assert main(["sample", "runs/t", "-n", "5", "--out", "all.csv"]) == 0
    header, drawn = read("all.csv")
    assert header == ["a", "b", "label"] and [row[2] for row in drawn] == [*known, *known[:2]]
    for label in known:
        assert main(["sample", "runs/t", "-n", "2", "--given", label, "--out", "one.csv"]) == 0
        assert [row[2] for row in read("one.csv")[1]] == [label] * 2
    asked = [known[2], known[0], known[2]]
    Path("asked.csv").write_text("\n".join(["label", *asked]))
    np.savez("asked.npz", label=np.array([type(LABELS[kind][0])(label) for label in asked]))
    for file in ("asked.csv", "asked.npz"):
        assert main(["sample", "runs/t", "--given", file, "--out", "some.csv"]) == 0
        assert [row[2] for row in read("some.csv")[1]] == asked
    assert f"is no class; the classes are {', '.join(known)}" in refused(capsys, "sample", "runs/t", "--given", "7")

    # The label of a row is no feature, and names the energy that scores it.
    model, x = eb.load("runs/t"), torch.tensor(rows(n=60))[:3]
    scores = [model.given(label).score(x[i : i + 1]) for i, label in enumerate(asked)]
    Path("three.csv").write_text(text(x.numpy()))
    assert main(["score", "runs/t", "three.csv", "--given", "asked.csv", "--out", "scores.csv"]) == 0
    assert [float(row[1]) for row in read("scores.csv")[1]] == pytest.approx(torch.cat(scores).tolist(), rel=1e-5)


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint16, np.int64, bool])
def test_whole_numbers_of_two_dimensions_are_a_table(capsys, caplog, kind):
    """Bytes give the same run as floats of the same values."""
    caplog.set_level("INFO")
    x = np.random.default_rng(0).integers(0, 100, (60, 3)).astype(kind)
    np.save("whole.npy", x)
    np.save("floats.npy", x.astype(float))
    for name in ("whole", "floats"):
        assert main(["train", "table", "--data", f"{name}.npy", "--name", name, *QUICK]) == 0
        assert main(["score", f"runs/{name}", "whole.npy", "--out", f"{name}.csv"]) == 0
    said = "bytes of shape (n, columns) were read as real numbers, not as pixels"
    assert Path("whole.csv").read_text() == Path("floats.csv").read_text()
    assert (said in caplog.text) == (said in capsys.readouterr().err) == (kind == np.uint8)
    domain = eb.load("runs/whole").spec.domain
    assert isinstance(domain, eb.Reals) and domain.mean == eb.load("runs/floats").spec.domain.mean


def test_bytes_of_two_dimensions_are_pixels_where_it_is_said():
    x = np.random.default_rng(0).integers(0, 256, (60, 4), np.uint8)
    np.save("x.npy", x)
    run = eb.train(eb.recipes.table(**SMALL), data=x, domain=eb.Pixels(), out="runs/a")
    assert eb.load(run.path).spec.domain == eb.Pixels()
    assert main(["score", "runs/a", "x.npy"]) == 0


@pytest.mark.parametrize("domain", [eb.Pixels(), eb.Reals(), None], ids=str)
def test_data_that_are_given_again_have_the_domain_that_the_run_began_with(domain):
    x = np.random.default_rng(0).integers(0, 256, (60, 4), np.uint8)

    def own():
        torch.manual_seed(0)
        kernel = eb.Underdamped(0.1)
        return {"energy": eb.MLP(4, (8,)), "objective": eb.ContrastiveDivergence(kernel, 2), "steps": 4,
                "settings": eb.Settings(batch_size=8, checkpoint_every=2)}  # fmt: skip

    run = eb.train(**own(), data=x, domain=domain, out="runs/own")
    weights = [p.clone() for p in eb.load(run.path, energy=own()["energy"]).energy.parameters()]
    run.drop_checkpoints_after(2)
    Path("runs/own/data.safetensors").unlink()  # as of data that are too large
    again = eb.load(eb.resume("runs/own", **own(), data=x).path, energy=own()["energy"])
    assert all(torch.equal(p, q) for p, q in zip(weights, again.energy.parameters(), strict=True))
    assert subject_of(run, energy=own()["energy"], data=x).data.domain == again.spec.domain


def test_labels_beside_vectors_keep_their_names():
    labels, vectors = np.array([5, 9] * 10), rows(n=20, columns=3)
    data = files.from_arrays("pairs", rows(n=20), (labels, vectors))
    assert data.conditions[0] == eb.Classes(2, ("5", "9")) and data.conditions[1].shape == (3,)
    assert any("labels 5, 9 are numbered 0 ... 1" in note for note in data.notes)
    two = files.from_arrays("two", rows(n=20), (labels, np.array(["b", "a"] * 10)))
    assert two.conditions == (eb.Classes(2, ("5", "9")), eb.Classes(2, ("a", "b")))


@pytest.mark.parametrize("y", [["b", "a"] * 10, np.array(["b", "a"] * 10, dtype=object), np.array(["b", "a"] * 10)])
def test_labels_in_lists_and_arrays_of_objects_are_labels(y):
    data = files.from_arrays("pairs", rows(n=20), y)
    assert data.conditions == (eb.Classes(2, ("a", "b")),) and sorted(data.train.y.tolist()) == [0] * 8 + [1] * 8


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.array(["a", None] * 10, dtype=object), "labels that are missing"),
        (np.array(["a", ""] * 10), "labels that are missing"),
        (np.full((20, 3), np.nan), "conditions that are not finite"),
        ([[1.0], [1.0, 2.0]] * 10, "several lengths"),
        (np.zeros((20, 3), dtype=int), "labels .n,. or real conditions"),
        (np.zeros(19, dtype=int), "x of 20 rows and y of shape .19,."),
    ],
)
def test_bad_conditions_are_named(y, words):
    with pytest.raises(eb.UserError, match=words):
        files.from_arrays("pairs", rows(n=20), y)


def test_conditions_of_another_kind_are_named(capsys):
    x, y = rows(n=40), rows(1, n=40, columns=3)
    recipe = eb.recipes.table(conditional=True, **SMALL)
    eb.train(recipe, data=(x, y), out="runs/vector")
    eb.train(recipe, data=(x, np.arange(40) % 2), out="runs/class")
    eb.train(recipe, data=(x, (np.arange(40) % 2, y)), out="runs/both")
    np.save("x.npy", x)
    np.save("y.npy", y)
    np.savez("both.npz", a=np.arange(40) % 2, b=y)
    np.savez("odd.npz", a=np.arange(39) % 2, b=y)
    np.save("text.npy", np.array([["a"] * 3] * 4))
    np.save("lost.npy", np.array([np.nan, 1.0]))
    for run, given, words in [
        ("vector", "0", "3 numbers separated by commas"),
        ("vector", "text.npy", "must hold numbers"),
        ("vector", "both.npz", "holds 2 arrays, but the model has 1"),
        ("class", "0.5", "no class"),
        ("class", "y.npy", "a row of y.npy has 3 numbers; the model is conditional on a class of 0 ... 1"),
        ("class", "lost.npy", "must hold whole numbers"),
        ("both", "0", "several conditions"),
        ("both", "odd.npz", "arrays of 39 and 40 rows"),
    ]:
        assert words in refused(capsys, "sample", f"runs/{run}", "--given", given)
    assert main(["sample", "runs/both", "--given", "both.npz", "--out", "drawn.npz"]) == 0
    assert np.load("drawn.npz")["x"].shape == (40, 2)
    for run in ("vector", "both"):
        for verb in (["sample", f"runs/{run}"], ["score", f"runs/{run}", "x.npy"]):
            assert "--given" in refused(capsys, *verb)
    assert "has 2 conditions" not in refused(capsys, "sample", "runs/class", "--given", "2")
    for given, words in [((0, y), "but 2 conditions"), ((torch.zeros(2),), "shape"), ((torch.zeros(4, 2),), "shape")]:
        with pytest.raises(eb.UserError, match=words):
            eb.load("runs/vector").given(*given)
    for given in ("a", None, [[1.0], [1.0, 2.0]], {}):
        with pytest.raises(eb.UserError, match=r"real numbers of shape \(batch, 3\), got"):
            eb.load("runs/vector").given(given)
    for given in (torch.zeros(4, 3), None, 0.5, [[1], [1, 1]]):
        with pytest.raises(eb.UserError, match="whole number"):
            eb.load("runs/class").given(given)
    seed, model = torch.Generator().manual_seed(0), eb.load("runs/class")
    numbers = [[1, 0], ["1", "0"], np.array(["1", "0"]), torch.tensor([1, 0], dtype=torch.uint8)]
    drawn = [model.given(y).sample(2, generator=seed.manual_seed(0)) for y in numbers]
    assert all(torch.equal(x, drawn[0]) for x in drawn)


class Largest(TorchDispatchMode):
    """Notes the most entries of a tensor that an operation makes anew, beside those that share memory with x."""

    def __init__(self, x):
        super().__init__()
        self.entries, self.known = 0, x.untyped_storage().data_ptr()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        lifted = function is torch.ops.aten.lift_fresh.default  # from_numpy, which copies nothing
        for made in [out] if isinstance(out, torch.Tensor) and not lifted else []:
            if made.untyped_storage().data_ptr() != self.known:
                self.entries = max(self.entries, made.numel())
        return out


@pytest.mark.parametrize("kind", ["floats", "bytes", "channels last"])
def test_a_mapped_file_is_never_loaded_whole(folder, monkeypatch, kind):
    n = 4000
    rng = np.random.default_rng(0)
    x = (
        rng.normal(3, 2, (n, 8)).astype(np.float32)
        if kind == "floats"
        else rng.integers(0, 256, (n, 3, 4, 4), np.uint8)
    )
    np.save("big.npy", x if kind != "channels last" else np.ascontiguousarray(x.transpose(0, 2, 3, 1)))
    whole = from_path("big.npy")
    monkeypatch.setattr(files, "MAPPED", 1000)
    monkeypatch.setattr(conditions, "PART", 800)
    made = []
    load = np.load

    def watched(*arguments, **options):
        made.append(load(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(np, "load", watched)
    with Largest(torch.zeros(1)) as seen:
        original = torch.from_numpy

        def known(array):
            tensor = original(array)
            seen.known = tensor.untyped_storage().data_ptr()
            return tensor

        monkeypatch.setattr(torch, "from_numpy", known)
        data = from_path("big.npy")
        seen.entries, loaded = 0, seen.entries
        for rows_ in data.train.take(slice(0, 32)).x, data.train.take(torch.arange(32)).x:
            assert rows_.is_contiguous() and torch.equal(rows_, whole.train.x[:32])
    # Shuffles are of n entries, and parts of 800; the whole has 8 n, or 48 n.
    assert isinstance(made[0], np.memmap) and data.train.file == Path("big.npy").resolve() and loaded <= n
    assert data.spec.event == whole.spec.event and data.notes == whole.notes
    if kind == "floats":
        np.testing.assert_allclose(data.domain.mean, whole.domain.mean, rtol=1e-12)
        np.testing.assert_allclose(data.domain.scale, whole.domain.scale, rtol=1e-12)

    first = data.sha256()
    stored = json.loads((folder / "cache/energybased/hashes.json").read_text())
    (key,) = stored
    assert key.startswith(str(Path("big.npy").resolve()))
    stored[key] = "remembered"  # so that a second look at the file would show
    (folder / "cache/energybased/hashes.json").write_text(json.dumps(stored))
    again = from_path("big.npy").sha256()
    assert again != first and again == from_path("big.npy").sha256()


def test_moments_in_parts_are_those_of_the_whole(monkeypatch):
    x = torch.tensor(1e6 + rows(n=500, columns=3)) * torch.tensor([1.0, 1e-6, 0.0], dtype=torch.float64)
    order = torch.randperm(500, generator=torch.Generator().manual_seed(0))[:400]
    mean, scale = moments(x[order])
    monkeypatch.setattr(conditions, "PART", 30)
    parts = moments(x, order)
    np.testing.assert_allclose(parts[0], mean, rtol=1e-13)
    np.testing.assert_allclose(parts[1], scale, rtol=1e-9)
    assert parts[1][2] == 0 and parts[0][2] == 0 and parts[1][0] > 0.5


class Frame:
    """As much of a data frame as pandas and polars share."""

    def __init__(self, columns):
        self.held = columns
        self.columns, self.shape = list(columns), (len(next(iter(columns.values()))), len(columns))

    def __getitem__(self, name):
        return self.held[name]


def test_frames_and_arrays_are_data(capsys):
    x = rows()
    kinds = np.array(["u", "v"] * 20, dtype=object)
    frame = Frame({"a": x[:, 0], "kind": kinds, "b": x[:, 1]})
    recipe = eb.recipes.table(conditional=True, label="kind", **SMALL)
    run = eb.train(recipe, data=frame, out="runs/frame")
    model = eb.load(run.path)
    assert model.spec.domain.columns == ("a", "b") and model.spec.conditions == (eb.Classes(2, ("u", "v")),)
    other = eb.train(eb.recipes.table(conditional=True, **SMALL), data=frame, label="kind", out="runs/other")
    pair = eb.train(eb.recipes.table(conditional=True, **SMALL), data=(x, kinds), out="runs/pair")
    scores = [eb.load(r.path).given("v").score(torch.tensor(x)) for r in (run, other, pair)]
    assert torch.equal(scores[0], scores[1]) and torch.equal(scores[0], scores[2])
    assert main(["sample", "runs/frame", "-n", "4"]) == 0 and read("runs/frame/samples.csv")[0] == ["a", "b", "label"]
    assert main(["evaluate", "runs/frame"]) == 0

    with pytest.raises(eb.UserError, match="column 'kind' of the frame holds text, such as 'u'"):
        eb.train(eb.recipes.table(**SMALL), data=frame, out="runs/x")
    with pytest.raises(eb.UserError, match="no column 'knid' to be the label"):
        eb.train(eb.recipes.table(**SMALL), data=frame, label="knid", out="runs/x")
    with pytest.raises(eb.UserError, match=r"label and domain need data=\.\.\."):
        eb.train(eb.recipes.digits(**SMALL), label="kind", out="runs/x")
    with pytest.raises(eb.UserError, match="a recipe takes a DataSet, an array"):
        eb.train(eb.recipes.table(**SMALL), data={"a": x}, out="runs/x")
    with pytest.raises(eb.UserError, match="missing or not finite in a"):
        eb.train(eb.recipes.table(**SMALL), data=Frame({"a": np.full(40, np.nan), "b": x[:, 1]}), out="runs/x")
    array = eb.train(eb.recipes.table(**SMALL), data=x, out="runs/array")
    assert eb.load(array.path).sample(3).dtype == torch.float64 and not Path("runs/x").exists()


def test_data_given_in_python_are_kept_or_asked_for(capsys):
    x = rows()
    recipe = eb.recipes.table(**{**SMALL, "checkpoint_every": 2})
    run = eb.train(recipe, data=x, out="runs/a")
    scores = eb.load(run.path).score(torch.tensor(x))

    def stop():
        run.drop_checkpoints_after(2)
        assert run.outcome == "unfinished"

    stop()
    assert main(["train", "--resume", "runs/a"]) == 0
    assert torch.equal(eb.load(run.path).score(torch.tensor(x)), scores)
    stop()
    Path("runs/a/data.safetensors").unlink()  # as of data that are too large
    for verb in (["train", "--resume", "runs/a"], ["evaluate", "runs/a"], ["report", "runs/a"]):
        assert "were given in Python: give them again" in refused(capsys, *verb)
    with pytest.raises(eb.UserError, match="are not those the run began with"):
        eb.resume("runs/a", data=x + 1)
    assert torch.equal(eb.load(eb.resume("runs/a", data=x).path).score(torch.tensor(x)), scores)
    np.save("x.npy", x)
    assert main(["evaluate", "runs/a", "--data", "x.npy"]) == 0


@pytest.mark.parametrize("kind", ["0.2", "new"])
def test_an_exported_model_with_a_changed_byte_is_refused(kind):
    file, x = DATA / "model-0.2.safetensors", torch.rand(2, 1, 8, 8)
    scores = eb.load(file).score(x)
    if kind == "new":
        eb.load(file).export("new.safetensors")
        file = Path("new.safetensors")
    assert torch.equal(eb.load(file).score(x), scores)
    raw = bytearray(file.read_bytes())
    end = 8 + int.from_bytes(raw[:8], "little")
    number = raw.index(b'"energybased":"') + len(b'"energybased":"')
    version = set(range(number, raw.index(b'"', number)))  # of the library; format 2 has it outside the checksum
    places = {*range(0, len(raw), 97), *range(end - 20, end)}
    places = places - version if kind == "0.2" else places | version
    settings = {raw.index(name) + len(name) for name in (b'\\"step_size\\": ', b'\\"seed\\": ', b'\\"lr\\": 0.00')}
    for place in sorted(places | settings):
        changed = raw.copy()
        changed[place] ^= 1
        Path("model.safetensors").write_bytes(changed)
        with pytest.raises(eb.UserError, match=r"model\.safetensors"):
            eb.load("model.safetensors")
    assert len(places) > 200


def test_a_device_that_is_not_there(capsys):
    for device in ("cuda:7", torch.device("cuda:7")):
        with pytest.raises(eb.UserError, match="there is no device cuda:7: this machine has"):
            eb.load(DATA / "model-0.2.safetensors", device=device)
    with pytest.raises(eb.UserError, match="is no device"):
        eb.load(DATA / "model-0.2.safetensors", device=None)


def test_a_run_of_version_0_1_is_refused(capsys):
    settings = {"kind": "EnergyRecipe", "recipe": "digits", "data": "digits", "whole": False, "classes": 10}
    facts = {"format_version": 1, "recipe": "digits", "settings": settings, "data_sha256": "0", "identity": "0"}
    for name, kept in (("a", facts), ("b", {k: v for k, v in facts.items() if k != "identity"})):
        Path(f"runs/{name}/checkpoints").mkdir(parents=True)
        Path(f"runs/{name}/recipe.json").write_text(json.dumps(kept))
        for verb in ("sample", "report", "evaluate", "doctor"):
            assert refused(capsys, verb, f"runs/{name}")
        assert refused(capsys, "train", "--resume", f"runs/{name}")
    Path("runs/a/checkpoints/00000000").mkdir()
    Path("runs/a/checkpoints/00000000/state.json").write_text("{}")
    assert "format_version 1, this version of energybased reads 2" in refused(capsys, "sample", "runs/a")
