"""Data sets, a user's own files, and what is wrong with some of them."""

import gzip
import hashlib
import io
import pickle
import shutil
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

from energybased import Classes, UserError, train
from energybased.data import DATASETS, Pixels, Reals, load_data
from energybased.data.batches import read_batches
from energybased.data.holdout import hold_out
from energybased.data.idx import read_idx
from energybased.data.mnist import kmnist_test
from energybased.data.pictures import grid, png_uri, save_png
from energybased.data.source import download
from energybased.evaluation.outside import outside_sets
from energybased.recipes import digits
from formats import idx, write_all


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("root")
    write_all(folder)
    return str(folder)


@pytest.fixture(autouse=True)
def lonely(tmp_path_factory, monkeypatch):
    """No cache, no data of this machine, no network."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.delenv("EBM_DATA", raising=False)

    def nobody(url, timeout):
        raise urllib.error.URLError("no network in tests")

    monkeypatch.setattr(urllib.request, "urlopen", nobody)


@pytest.mark.parametrize("name", DATASETS)
def test_contract(name, root):
    """Splits of one shape, pixels in [0, 1], disjoint, the same every time."""
    data = load_data(name, root)
    for split in (data.train, data.test):
        x = data.values(split)
        assert (
            x.shape[1:] == data.event
            and data.domain.view(data.event) == "pictures"
            and x.dtype == torch.float32
            and len(split) > 0
        )
        assert x.min() >= 0 and x.max() <= 1 and x.max() > 0.5
        assert split.y is None or (split.y.shape == (len(split),) and split.y.min() >= 0)
    assert data.train.y is None or data.train.y.min() == 0
    assert data.sha256() == load_data(name, root).sha256()
    rows = [{row.numpy().tobytes() for row in split.take().x} for split in data.splits]
    assert sum(map(len, rows)) == len(set.union(*rows)) == sum(map(len, (data.train, data.validation, data.test)))


@pytest.mark.parametrize("name", [name for name in DATASETS if name != "digits"])
def test_what_is_not_there_is_one_sentence(name, tmp_path):
    """It names a file and where to put it; at once, as nothing answers."""
    with pytest.raises(UserError, match=rf"was not found .*put it at {tmp_path}.*--data-root or EBM_DATA"):
        load_data(name, str(tmp_path))


def test_what_is_meant_for_folders_is_not_dropped_in_silence(root):
    assert "ignored for mnist" in load_data("mnist", root, size=8).notes[0] and load_data("mnist", root).notes == ()


def test_the_environment_names_the_root(root, monkeypatch):
    monkeypatch.setenv("EBM_DATA", root)
    assert len(load_data("mnist").test) == 20


def test_labels_as_they_are_published(root):
    svhn, imagenet = load_data("svhn", root), load_data("imagenet32", root)
    assert svhn.test.y.tolist() == [(i % 10 + 1) % 10 for i in range(20)]  # a zero is stored as 10
    assert sorted(imagenet.test.y.tolist()) == [0, 1, 2, 3]  # stored as 1 ... 4
    assert load_data("dsprites", root).classes == 3 and load_data("imagenet128", root).classes == 2


def test_a_batch_is_red_before_green_before_blue(tmp_path):
    data = np.concatenate([np.full((2, 1024), value, dtype=np.uint8) for value in (1, 2, 3)], 1)
    (tmp_path / "b").write_bytes(pickle.dumps({"data": data, "labels": [0, 1]}, protocol=2))
    assert (read_batches(tmp_path, "", ["b"], "labels").x[0].flatten(1) == torch.tensor([[1], [2], [3]])).all()


class Evil:
    def __reduce__(self):
        return (print, ("this must not run",))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (pickle.dumps({"data": Evil()}), "print, which is not allowed in a file of arrays"),
        (pickle.dumps({"data": 1})[:-3], "cut short or not a batch file"),
        (pickle.dumps({"labels": [1]}), "holds no 'data'"),
        (pickle.dumps({"data": np.zeros((2, 5), np.uint8), "labels": [0, 1]}), "does not hold 32x32 images"),
        (pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [0]}), "2 images, but 1 labels"),
        (pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "fine_labels": [0, 1]}), "of another data set"),
        (b"not a pickle", "cut short or not a batch file"),
    ],
)
def test_batch_files_that_are_not_what_their_name_says(tmp_path, capsys, raw, words):
    (tmp_path / "test_batch").write_bytes(raw)
    with pytest.raises(UserError, match=words):
        read_batches(tmp_path, "", ["test_batch"], "labels")
    assert "must not run" not in capsys.readouterr().out


def test_archives_that_are_cut_short(root, tmp_path):
    whole = Path(root, "cifar-100-python.tar.gz").read_bytes()
    (tmp_path / "cifar-100-python.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="cut short, or not the archive"):
        load_data("cifar100", str(tmp_path))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (idx(np.zeros((3, 2, 2), np.uint8))[:-1], r"promises 3 x 2 x 2 = 12 bytes, but 11 follow"),
        (idx(np.zeros((3, 2, 2), np.uint8)) + b"more", r"= 12 bytes, but 16 follow"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "promises 4294967295 x 4294967295"),
        (b"\0\0\x08\x03\0\0", "header of .* is cut short"),
        (b"\0\0\x0d\x01\0\0\0\0", "not an IDX file of bytes"),
        (b"", "not an IDX file"),
    ],
)
def test_idx_headers_that_lie(tmp_path, raw, words):
    (tmp_path / "x").write_bytes(raw)
    with pytest.raises(UserError, match=words):
        read_idx(tmp_path / "x")
    (tmp_path / "x.gz").write_bytes(gzip.compress(raw))
    with pytest.raises(UserError, match=words):
        read_idx(tmp_path / "x.gz")
    (tmp_path / "x.gz").write_bytes(gzip.compress(raw + bytes(100))[:-12])
    with pytest.raises(UserError, match="cut short or not a gzip"):
        read_idx(tmp_path / "x.gz")


def test_images_and_labels_that_differ_in_number(root, tmp_path):
    shutil.copytree(Path(root, "MNIST"), tmp_path / "MNIST")
    (tmp_path / "MNIST/raw/t10k-labels-idx1-ubyte").write_bytes(idx(np.zeros(19, np.uint8)))
    with pytest.raises(UserError, match=r"20 images in t10k-images.*19 labels"):
        load_data("mnist", str(tmp_path))


class Answer(io.BytesIO):
    headers: ClassVar = {}


@pytest.mark.parametrize("fault", ["none", "short", "sum"])
def test_downloads_are_whole_or_not_there(tmp_path, monkeypatch, fault):
    raw, target = b"x" * 3000, tmp_path / "there" / "file"
    answer = Answer(raw[:-1] if fault == "short" else raw)
    answer.headers = {"Content-Length": "3000"}
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: answer)
    md5 = hashlib.md5(b"y" if fault == "sum" else raw).hexdigest()
    if fault == "none":
        download("http://there/file", target, md5)
        assert target.read_bytes() == raw
    else:
        with pytest.raises(UserError, match="cut short: 2999 of 3000" if fault == "short" else "checksum differs"):
            download("http://there/file", target, md5)
        assert list(target.parent.iterdir()) == []


def test_bytes_are_dequantised_within_their_level(rng):
    x = torch.arange(256, dtype=torch.uint8).repeat(50)
    drawn = Pixels().batch(x, rng) * 256 - x
    assert drawn.min() >= -1e-4 and drawn.max() <= 1 + 1e-4
    assert abs(drawn.mean() - 0.5) < 5 / (12 * len(x)) ** 0.5  # five standard errors


def test_digits():
    data = load_data("digits")
    assert [len(split) for split in (data.train, data.validation, data.test)] == [1000, 297, 500]
    assert data.event == (1, 8, 8) and isinstance(data.domain, Pixels)


def test_own_arrays(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (50, 1, 4, 4), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(50) % 3)
    data = load_data(str(tmp_path / "a.npz"))
    assert (len(data.train), len(data.validation), len(data.test)) == (40, 5, 5)
    assert data.values(data.train).max() <= 1 and data.train.y.dtype == torch.int64
    np.save(tmp_path / "b.npy", x.astype(np.float64) * 10)
    assert load_data(str(tmp_path / "b.npy")).train.x.max() > 1  # numbers stay as they are


def test_a_folder_of_pictures(tmp_path):
    for i in range(12):
        Image.new("RGB", (6, 5), (i, 0, 255)).save(tmp_path / f"{i:02d}.png")
    data = load_data(str(tmp_path))
    assert data.event == (3, 5, 6) and data.values(data.train)[:, 2].eq(1).all() and data.notes == ()


def test_pictures_of_several_sizes_and_modes(tmp_path):
    for i in range(12):
        Image.new("RGB" if i % 2 else "L", (8 + i, 20), 7 * i if i % 2 == 0 else (7 * i, 0, 0)).save(
            tmp_path / f"{i:02d}.png"
        )
    data = load_data(str(tmp_path))
    assert data.event == (3, 8, 8) and data.classes == 0
    assert any("12 sizes were scaled and cropped to 8 x 8" in note for note in data.notes)
    assert any("6 greyscale pictures" in note for note in data.notes)
    assert load_data(str(tmp_path), size=16).event == (3, 16, 16)


def test_pictures_of_odd_kinds_and_what_is_said_of_them(tmp_path):
    """16 bits scaled to 8; what is transparent on white; the first frame of what moves."""
    for i in range(9):
        Image.new("L", (4, 4), 10).save(tmp_path / f"a{i}.png")
    deep = np.full((4, 4), 0x8000, dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "b.png")
    Image.new("LA", (4, 4), (0, 0)).save(tmp_path / "c.png")
    frames = [Image.new("L", (4, 4), value) for value in (40, 90)]
    frames[0].save(tmp_path / "d.gif", save_all=True, append_images=frames[1:])
    data = load_data(str(tmp_path))
    seen = {int(x[0, 0, 0]) for split in (data.train, data.validation, data.test) for x in split.x}
    assert {10, 0x80, 255} <= seen and 90 not in seen
    for words in ("1 pictures with 16 bits", "1 pictures have transparent areas", "1 pictures are animated"):
        assert any(words in note for note in data.notes), data.notes


def test_loose_pictures_take_the_classes_away_and_it_is_said(tmp_path):
    for i in range(12):
        (tmp_path / "ab"[i % 2]).mkdir(exist_ok=True)
        Image.new("L", (4, 4), i).save(tmp_path / "ab"[i % 2] / f"{i:02d}.png")
    Image.new("L", (4, 4)).save(tmp_path / "loose.png")
    data = load_data(str(tmp_path))
    assert data.classes == 0 and any("1 pictures are not in a subfolder" in note for note in data.notes)


def test_channels_that_come_last(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (20, 4, 5, 3), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", x=x)
    data = load_data(str(tmp_path / "a.npz"), size=4)
    assert data.event == (3, 4, 5) and len(data.notes) == 2


def test_pictures_without_a_place_for_channels_are_grey(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((20, 4, 5), np.uint8))
    data = load_data(str(tmp_path / "a.npy"))
    assert data.event == (1, 4, 5) and "grey" in data.notes[0]


LABELS = {
    "one": (np.arange(20) % 2 + 1, ("1", "2")),
    "gaps": (np.arange(20) % 3 * 1000.0, ("0", "1000", "2000")),
    "minus": (np.arange(20) % 2 * 2 - 1, ("-1", "1")),
    "text": (np.array(["cat", "dog"] * 10), ("cat", "dog")),
    "plain": (np.arange(20) % 2, ()),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_any_kind_are_numbered_and_it_is_said(tmp_path, kind):
    y, names = LABELS[kind]
    np.savez(tmp_path / "a.npz", X=np.random.default_rng(0).random((20, 2)), labels=y)
    data = load_data(str(tmp_path / "a.npz"))
    assert data.conditions == (Classes(max(len(names), 2), names),)
    assert any("are numbered 0 ..." in note for note in data.notes) == bool(names)
    assert set(data.train.y.tolist()) == set(range(max(len(names), 2)))


def test_subfolders_are_classes(tmp_path):
    for i in range(12):
        (tmp_path / "ab"[i % 2]).mkdir(exist_ok=True)
        Image.new("L", (4, 4), i).save(tmp_path / "ab"[i % 2] / f"{i:02d}.png")
    data = load_data(str(tmp_path))
    assert data.classes == 2 and (data.train.y == data.train.x[:, 0, 0, 0] % 2).all()


def write(folder, kind):
    folder.mkdir(exist_ok=True)
    file = folder / "a.npz"
    x = np.zeros((20, 2), dtype=np.float32)
    if kind == "cut":
        np.savez(file, x=x)
        file.write_bytes(file.read_bytes()[:-40])
    elif kind == "text":
        file.write_text("no numbers here")
    elif kind == "pickle":
        np.savez(file, x=np.array([{}] * 20, dtype=object))
    elif kind == "nameless":
        np.savez(file, pictures=x)
    elif kind == "labels":
        np.savez(file, x=x, y=np.zeros(3, dtype=int))
    elif kind == "nan":
        np.savez(file, x=np.full((20, 2), np.nan, dtype=np.float32))
    elif kind == "few":
        np.savez(file, x=x[:5])
    elif kind == "flat":
        np.savez(file, x=np.zeros(20, dtype=np.float32))
    return file


@pytest.mark.parametrize(
    "kind, words",
    [
        ("cut", "cut short"),
        ("text", "not a NumPy file"),
        ("pickle", "not a NumPy file"),
        ("nameless", "no array 'x', only pictures"),
        ("labels", "20 rows and y of shape"),
        ("nan", "not finite"),
        ("few", "at least 10"),
        ("flat", "(n, *event)"),
    ],
)
def test_bad_arrays_are_named(tmp_path, kind, words):
    file = write(tmp_path / "data", kind)
    with pytest.raises(UserError) as error:
        load_data(str(file))
    assert words in str(error.value) and str(file) in str(error.value)


def test_bad_folders_and_names(tmp_path):
    with pytest.raises(UserError, match="holds no pictures"):
        load_data(str(tmp_path))
    for i in range(11):
        Image.new("L", (4, 4)).save(tmp_path / f"{i:02d}.png")
    (tmp_path / "odd.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(UserError, match=r"odd\.png is not a readable picture"):
        load_data(str(tmp_path))
    data = load_data(str(tmp_path), skip_broken=True)
    assert len(data.train) + 2 == 11 and "left out 1 broken" in data.notes[0]
    with pytest.raises(UserError, match="did you mean 'digits'"):
        load_data("digit")
    with pytest.raises(UserError, match=r"no data at .*gone\.npz"):
        load_data(str(tmp_path / "gone.npz"))
    (tmp_path / "x.doc").write_text("1,2")
    with pytest.raises(UserError, match=r"x\.doc is not a \.npy"):
        load_data(str(tmp_path / "x.doc"))


def test_pictures(tmp_path):
    x = torch.rand(5, 1, 3, 4)
    sheet = grid(x, columns=3)
    assert sheet.shape == (1, 7, 14)
    torch.testing.assert_close(sheet[:, :3, :4], x[0])
    torch.testing.assert_close(sheet[:, 4:7, 5:9], x[4])
    save_png(sheet, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.width % 14 == 0
    assert png_uri(sheet).startswith("data:image/png;base64,")
    with pytest.raises(UserError, match="cannot write the picture"):
        save_png(sheet, tmp_path / "missing" / "a.png")


@pytest.mark.parametrize("pooled", [False, True])
def test_a_class_left_out_is_in_the_test_split_alone(pooled):
    data = load_data("digits")
    split = hold_out(data, 3, pooled)
    assert not (split.train.y == 3).any() and not (split.validation.y == 3).any()
    whole = torch.cat([data.train.y, data.validation.y, data.test.y])
    strange = (whole == 3).sum() if pooled else (data.test.y == 3).sum()
    assert (split.test.y == 3).sum() == strange
    if pooled:
        ordinary = len(whole) - strange
        assert (split.test.y != 3).sum() == ordinary - round(0.8 * float(ordinary))
        assert len(split.train) + len(split.validation) + len(split.test) == len(whole)
    with pytest.raises(UserError, match="none of them"):
        hold_out(data, 10)


@pytest.mark.parametrize(
    ("x", "domain", "words"),
    [
        (np.zeros((40, 1, 4, 4), np.uint8), Reals(), "holds bytes, which are pixels: use the domain Pixels"),
        (np.full((40, 1, 4, 4), 255.0, np.float32), Pixels(), "divide by 255, or store them as bytes"),
        (np.full((40, 1, 4, 4), -0.5, np.float32), Pixels(), r"outside \[0, 1\]: scale them"),
        (np.full((40, 5), np.inf), Reals(), "not finite"),
    ],
    ids=["bytes", "255", "negative", "infinite"],
)
def test_a_domain_that_does_not_fit_the_data_is_named(tmp_path, x, domain, words):
    with pytest.raises(UserError, match=words):
        train(digits(), data=x, domain=domain, out=tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_sets_from_outside_of_a_data_set(root, tmp_path, caplog):
    """Real file formats of all sets for grey pictures; sets that are not found are named."""
    data = load_data("mnist", root)
    test = data.values(data.test)
    x = np.random.default_rng(0).integers(0, 256, (30, 28, 28), dtype=np.uint8)
    np.savez(Path(root) / "kmnist-test-imgs.npz", x)
    with zipfile.ZipFile(Path(root) / "images_background_small1.zip", "w") as archive:
        for i in range(4):
            stream = io.BytesIO()
            Image.new("1", (105, 105), i % 2).save(stream, "PNG")
            archive.writestr(f"images_background_small1/A/character{i}/{i}.png", stream.getvalue())
    found = dict(outside_sets("mnist", test, root, torch.Generator().manual_seed(0)))
    assert list(found) == ["fashion-mnist", "kmnist", "omniglot", "constant", "uniform", "interpolated"]
    assert all(s.shape[1:] == test.shape[1:] and s.min() >= 0 and s.max() <= 1 for s in found.values())
    torch.testing.assert_close(found["kmnist"].sum(), torch.from_numpy(x).sum() / 255, rtol=1e-5, atol=0)
    assert found["omniglot"].unique().tolist() == [0.0, 1.0]  # a white page has no ink
    assert found["constant"].flatten(1).std(1).max() == 0 and found["uniform"].flatten(1).std(1).min() > 0.2
    torch.testing.assert_close(found["interpolated"].mean(), test.mean())
    with caplog.at_level("INFO", "energybased"):
        left = dict(outside_sets("mnist", test, str(tmp_path), torch.Generator().manual_seed(0)))
    assert list(left) == ["constant", "uniform", "interpolated"] and "left out kmnist" in caplog.text


@pytest.mark.parametrize("array", [np.zeros((3, 28, 27), np.uint8), np.zeros((3, 28, 28), np.float32), None])
def test_a_damaged_file_of_kmnist(tmp_path, array):
    file = tmp_path / "kmnist-test-imgs.npz"
    if array is None:
        file.write_bytes(b"PK")
    else:
        np.savez(file, array)
    with pytest.raises(UserError, match="kmnist-test-imgs"):
        kmnist_test(str(tmp_path))


def test_published_classes_have_their_names(root):
    data = load_data("cifar10", root)
    (kind,) = data.conditions
    assert kind.count == 10 and kind.number("frog") == kind.number("6") == 6
    with pytest.raises(UserError, match="'10' is no class; the classes are airplane, automobile"):
        kind.number("10")
    with pytest.raises(UserError, match="'1' is no class; the classes are 3, 8"):  # a number may be a label itself
        Classes(2, ("3", "8")).number("1")
    assert load_data("fashion-mnist", root).conditions[0].number("ankle boot") == 9
