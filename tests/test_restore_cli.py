"""`ebm restore`: what it writes, and one sentence for what the user must mend."""

import csv
from contextlib import chdir

import numpy as np
import pytest
from PIL import Image

from energybased.cli import main
from energybased.data import DataSpec, Pixels
from energybased.data.examples import examples

QUICK = ["--steps", "2", "--network.hidden", "4", "--batch-size", "8", "--sampler.length", "3"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run on digits, one without classes, one on a table; a picture, and masks."""
    folder = tmp_path_factory.mktemp("restore")
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40, 3))
    (folder / "t.csv").write_text("\n".join(["a,b,c", *(",".join(map(repr, row)) for row in rows.tolist())]))
    lines = (folder / "t.csv").read_text().split()[1:]
    labelled = [f"{line},{('low', 'high')[i % 2]}" for i, line in enumerate(lines)]
    (folder / "k.csv").write_text("\n".join(["a,b,c,kind", *labelled]))
    by_kind = ["table", "--data", "k.csv", "--label", "kind", "--conditional", "True"]
    runs = {"digits": ["digits"], "plain": ["digits", "--conditional", "False"], "table": ["table", "--data", "t.csv"]}
    runs |= {"kinds": by_kind}
    with chdir(folder):
        for name, words in runs.items():
            assert main(["train", *words, "--name", name, *QUICK]) == 0
    Image.fromarray(rng.integers(1, 255, (8, 8), np.uint8)).save(folder / "p.png")
    Image.fromarray(rng.integers(1, 255, (4, 4), np.uint8)).save(folder / "small.png")
    Image.fromarray(rng.integers(1, 255, (16, 16, 3), np.uint8)).save(folder / "large.png")
    half = np.zeros((8, 8), np.uint8)
    half[:, 4:] = 255
    for name, mask in (("mask", half), ("none", 0 * half), ("all", 0 * half + 255), ("wide", np.tile(half, (1, 2)))):
        Image.fromarray(mask).save(folder / f"{name}.png")
    Image.fromarray(np.zeros((8, 8, 4), np.uint8)).save(folder / "clear.png")  # all of it is transparent
    (folder / "cut.png").write_bytes((folder / "p.png").read_bytes()[:20])
    drawn = np.stack([half, half, half, half], 2)
    Image.fromarray(drawn).save(folder / "drawn.png")  # white on transparent, as painting programs write it
    return folder


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ["p.png", "--mask", "mask.png"],
        ["p.png", "--mask", "drawn.png"],
        ["p.png", "--noise", "gaussian=0.2"],
        ["p.png", "--noise", "salt-pepper=0.2", "--degrade"],
        ["p.png", "--blur", "1", "--given", "3"],
        ["p.png", "--scale", "2", "--degrade"],
        ["small.png", "--scale", "2", "--noise", "gaussian=0.05"],
        ["large.png", "--mask", "mask.png"],
    ],
    ids=" ".join,
)
def test_candidates_are_drawn_and_listed(here, capsys, words):
    assert main(["restore", "runs/digits", *words, "--candidates", "3", "--steps", "2", "--out", "r.png"]) == 0
    out, err = capsys.readouterr()
    header, (name, *cells) = csv.reader(out.splitlines())
    assert header == ["name", "energy0", "energy1", "energy2"] and name == words[0]
    first = [float(cell) for cell in cells]
    assert first == sorted(first) and ("converted to greyscale" in err) == ("large.png" in words)
    assert err.splitlines()[-2:] == ["r.png", "r-candidates.png"]
    width = 8 * (4 + ("--degrade" in words)) + 3 + ("--degrade" in words)
    factor = 512 // width
    with Image.open("r.png") as best, Image.open("r-candidates.png") as sheet:
        assert best.size == (512, 512) and sheet.size == (width * factor, 8 * factor)


@pytest.mark.parametrize(
    ("words", "changed"), [("large.png --noise gaussian=0.2", True), ("large.png --mask mask.png", False)]
)
def test_noise_of_a_scaled_picture(here, capsys, words, changed):
    assert main(["restore", "runs/digits", *words.split(), "--steps", "2", "--out", "r.png"]) == 0
    assert ("taken to be those after scaling" in capsys.readouterr().err) == changed


def test_what_reading_changes_in_a_picture_is_said(tmp_path):
    deep, grey = np.full((8, 8), 1000, np.uint16), np.full((8, 8), 100, np.uint8)
    opaque, clear = (np.dstack([grey, grey, grey, np.full((8, 8), a, np.uint8)]) for a in (255, 0))
    for name, array in (("deep", deep), ("grey", grey), ("opaque", opaque), ("clear", clear)):
        Image.fromarray(array).save(tmp_path / f"{name}.png")
    frames = [Image.fromarray(grey + i) for i in (0, 100)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    said = examples(tmp_path, DataSpec((1, 8, 8), Pixels()))[2]
    assert set(said) == {
        "1 of 5 pictures were converted from 16 bits to 8",
        "1 of 5 pictures were transparent in places, which were made white",
        "3 of 5 pictures were converted to greyscale",
        "1 of 5 pictures were animated, and only the first frame was used",
    }
    said = examples(tmp_path / "deep.png", DataSpec((3, 4, 4), Pixels()))[2]
    what = ("converted from greyscale to colour", "converted from 16 bits to 8", "scaled and cropped to 4 x 4")
    assert said == tuple(f"1 of 1 pictures were {words}" for words in what)


def test_known_pixels_stay(here):
    assert main(["restore", "runs/digits", "p.png", "--mask", "mask.png", "--steps", "2", "--out", "r.npz"]) == 0
    with np.load("r.npz") as found, Image.open("p.png") as picture:
        known = np.asarray(picture)[:, :4] / np.float32(255)
        assert found["x"].shape == (1, 8, 1, 8, 8) and (found["x"][..., :4] == known).all()


def test_across_classes(here, capsys):
    assert main(["restore", "runs/digits", "p.png", "--to", "3", "--steps", "4"]) == 0
    assert capsys.readouterr().out.split() == ["runs/digits/restored.png", "runs/digits/restored-film.png"]
    with Image.open("runs/digits/restored-film.png") as film:
        assert film.size[0] > 10 * film.size[1]


def test_empty_cells_are_filled(here, capsys):
    (here / "rows.csv").write_text("id,a,b,c\n007,1.0,,2.5\n12345678901234567890,5e-1,0.25,0.125\n,,,1\n")
    assert main(["restore", "runs/table", "rows.csv", "--steps", "2", "--out", "filled.csv"]) == 0
    assert "3 empty cells of 2 rows" in capsys.readouterr().err
    rows = list(csv.reader((here / "filled.csv").read_text().splitlines()))
    assert rows[0] == ["id", "a", "b", "c"] and rows[2] == ["12345678901234567890", "5e-1", "0.25", "0.125"]
    assert rows[1][:2] == ["007", "1.0"] and rows[1][3] == "2.5" and rows[3][::3] == ["", "1"]  # as they are written
    assert all(np.isfinite([float(cell) for cell in row[1:]]).all() for row in rows[1:])


def test_a_row_is_filled_given_its_class(here, capsys):
    """The chains have the same random numbers, so that only the class can make a difference."""
    filled = dict[str, float]()
    for kind in ("low", "high", ""):
        (here / "rows.csv").write_text(f"a,b,c,kind\n4,4,,{kind}\n4,,4,{kind}\n")
        assert main(["restore", "runs/kinds", "rows.csv", "--steps", "50", "--out", "filled.csv"]) == 0
        told = capsys.readouterr().err
        assert ("given their class, of column kind" in told) is ("are kept" not in told) is bool(kind)
        rows = list(csv.DictReader((here / "filled.csv").read_text().splitlines()))
        assert [row["kind"] for row in rows] == [kind, kind]
        filled[kind] = float(rows[0]["c"])
    assert len(set(filled.values())) == 3
    (here / "rows.csv").write_text("a,b,c,kind\n4,4,,low\n4,,4,\n")
    assert main(["restore", "runs/kinds", "rows.csv", "--steps", "50", "--out", "filled.csv"]) == 0
    assert "2 empty cells of 2 rows" in capsys.readouterr().err
    assert main(["restore", "runs/kinds", "rows.csv", "--steps", "5", "--given", "high", "--out", "filled.csv"]) == 0
    assert "column kind is kept as it is" in (told := capsys.readouterr().err) and "does not take" not in told


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("digits p.png", "say what was done"),
        ("digits p.png --mask none.png", "frees nothing"),
        ("digits p.png --mask all.png", "frees everything"),
        ("digits p.png --mask clear.png", "frees nothing"),
        ("digits p.png --mask wide.png", "mask is of 16 x 8 pixels, but must be of 8 x 8"),
        ("digits p.png --mask no.png", "there is no mask"),
        ("digits p.png --mask t.csv", "the mask t.csv is not a readable picture"),
        ("digits cut.png --mask mask.png", "cut.png is not a readable picture"),
        ("digits p.png --mask mask.png --blur 1", "exclude each other"),
        ("digits p.png --mask mask.png --noise gaussian=0.1", "exclude each other"),
        ("digits p.png --noise salt-peper=0.1", "did you mean 'salt-pepper'"),
        ("digits p.png --noise gaussian", "needs a number"),
        ("digits p.png --noise gaussian=much", "needs a number"),
        ("digits p.png --noise gaussian=-1", "between 0 and 1"),
        ("digits p.png --noise salt-pepper=1.5", "between 0 and 1"),
        ("digits p.png --noise salt-pepper=0.1", "no salt or pepper"),
        ("digits p.png --blur 0", "must be positive"),
        ("digits p.png --blur 50", "leaves nothing"),
        ("digits p.png --scale 3", "cannot be cut"),
        ("digits p.png --scale 2", "8 x 8 pixels, not 4 x 4"),
        ("digits p.png --scale 16 --degrade", "cannot be cut"),
        ("digits p.png --scale 2 --noise salt-pepper=0.1", "gaussian"),
        ("digits p.png --noise gaussian=0.1 --given 12", "is no class"),
        ("digits p.png --noise gaussian=0.1 --candidates 0", "candidates"),
        ("digits p.png --noise gaussian=0.1 --out x.csv", "must end in"),
        ("digits p.png --noise gaussian=0.1 --out no/x.png", "there is no folder no to write x.png into"),
        ("digits p.png --noise gaussian=0.1 --out p.png", "would overwrite"),
        ("digits p.png --mask mask.png --out mask.png", "would overwrite"),
        ("digits q-candidates.png --noise gaussian=0.1 --out q.png", "would overwrite"),
        ("digits sub --noise gaussian=0.1 --out sub/new.png", "add to what is restored"),
        ("digits p.png --to 12", "'12' is no class"),
        ("digits p.png --to 3 --blur 1", "--to takes a whole picture"),
        ("digits p.png --to 3 --candidates 8", "draws one chain"),  # also when given as the default is
        ("digits p.png --to 3 --tether -1", "tether"),
        ("digits p.png --blur 1 --tether 2.4", "--tether goes with --to only"),
        ("plain p.png --to 3", "needs a run with classes"),
        ("digits t.csv", "t.csv is a table, but the examples of the model are of shape (1, 8, 8)"),
        ("table p.png --blur 1", "takes no pictures"),
        ("table t.csv", "no empty cells"),
        ("table t.csv --noise gaussian=0.1", "is a table"),
        ("table t.csv --degrade", "is a table"),
        ("table blank.csv", "row 2 of blank.csv is empty"),
        ("kinds odd.csv", "'odd' is no class"),
        ("kinds one.csv --given one.csv", "one.csv has the columns a, b, c, kind, but the condition is a class"),
        ("table text.csv", "holds text, such as 'NA': leave missing cells empty"),
        ("digits nothing.png --blur 1", "there is nothing at"),
    ],
)
def test_one_sentence(here, capsys, words, sentence):
    (here / "blank.csv").write_text("a,b,c\n1,,3\n,,\n")
    (here / "text.csv").write_text("a,b,c\n1,NA,3\n")
    for copy in (here / "q-candidates.png", here / "sub" / "p.png"):
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes((here / "p.png").read_bytes())
    (here / "odd.csv").write_text("a,b,c,kind\n1,,3,odd\n")
    (here / "one.csv").write_text("a,b,c,kind\n1,,3,low\n")
    assert main(["restore", *f"runs/{words}".split()]) == 2
    err = capsys.readouterr().err
    assert sentence in err and "Traceback" not in err and err.count("\n") <= 2, err
