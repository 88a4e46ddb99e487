"""Data sets, a user's own files, and what is wrong with some of them."""

import numpy as np
import pytest
import torch
from PIL import Image

from energybased import UserError
from energybased.data import DATASETS, load_data
from energybased.data.pictures import grid, png_uri, save_png


@pytest.mark.parametrize("name", DATASETS)
def test_contract(name):
    """Splits of one shape, in float32, pixels in [0, 1], disjoint, the same every time."""
    data = load_data(name)
    for split in (data.train, data.validation, data.test):
        assert split.x.shape[1:] == data.event and split.x.dtype == torch.float32 and len(split) > 0
        assert split.x.min() >= 0 and split.x.max() <= 1
        assert split.y is None or split.y.shape == (len(split),)
    assert data.sha256() == load_data(name).sha256()
    rows = [{row.numpy().tobytes() for row in split.x} for split in (data.train, data.validation, data.test)]
    assert sum(map(len, rows)) == len(set.union(*rows))


def test_digits():
    data = load_data("digits")
    assert [len(split) for split in (data.train, data.validation, data.test)] == [1000, 297, 500]
    assert data.event == (1, 8, 8) and data.is_image


def test_own_arrays(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (50, 1, 4, 4), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(50) % 3)
    data = load_data(str(tmp_path / "a.npz"))
    assert (len(data.train), len(data.validation), len(data.test)) == (40, 5, 5)
    assert data.train.x.max() <= 1 and data.train.y.dtype == torch.int64
    np.save(tmp_path / "b.npy", x.astype(np.float64) * 10)
    assert load_data(str(tmp_path / "b.npy")).train.x.max() > 1  # numbers stay as they are


def test_a_folder_of_pictures(tmp_path):
    for i in range(12):
        Image.new("RGB", (6, 5), (i, 0, 255)).save(tmp_path / f"{i:02d}.png")
    data = load_data(str(tmp_path))
    assert data.event == (3, 5, 6) and data.train.x[:, 2].eq(1).all()


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
        np.savez(file, images=x)
    elif kind == "labels":
        np.savez(file, x=x, y=np.zeros(3, dtype=int))
    elif kind == "nan":
        np.savez(file, x=np.full((20, 2), np.nan, dtype=np.float32))
    elif kind == "few":
        np.savez(file, x=x[:5])
    elif kind == "flat":
        np.savez(file, x=np.zeros(20, dtype=np.float32))
    elif kind == "whole":
        np.savez(file, x=np.zeros((20, 2), dtype=np.int64))
    return file


@pytest.mark.parametrize(
    "kind, words",
    [
        ("cut", "cut short"),
        ("text", "not a NumPy file"),
        ("pickle", "not a NumPy file"),
        ("nameless", "no array 'x', only images"),
        ("labels", "20 rows and y of shape"),
        ("nan", "not finite"),
        ("few", "at least 10"),
        ("flat", "(n, *event)"),
        ("whole", "int64"),
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
    Image.new("L", (5, 4)).save(tmp_path / "odd.png")
    with pytest.raises(UserError, match=r"odd\.png"):
        load_data(str(tmp_path))
    (tmp_path / "odd.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(UserError, match=r"odd\.png is not a readable picture"):
        load_data(str(tmp_path))
    with pytest.raises(UserError, match="did you mean 'digits'"):
        load_data("digit")
    with pytest.raises(UserError, match=r"no data at .*gone\.npz"):
        load_data(str(tmp_path / "gone.npz"))
    (tmp_path / "x.csv").write_text("1,2")
    with pytest.raises(UserError, match=r"x\.csv is not a \.npy"):
        load_data(str(tmp_path / "x.csv"))


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
