"""MNIST (LeCun et al. 1998), and data sets in the same format: Fashion-MNIST (2017) and KMNIST (2018)."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from energybased.data.dataset import DataSet, Split, published
from energybased.data.idx import read_idx
from energybased.data.source import Source
from energybased.errors import UserError, require

TRAIN_X, TRAIN_Y = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_X, TEST_Y = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
VALIDATION = 5000

MNIST = {
    TRAIN_X: "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    TRAIN_Y: "d53e105ee54ea40749a09fcbcd1e9432",
    TEST_X: "9fb629c4189551a2d022fa330f9573f3",
    TEST_Y: "ec29112dd5afa0611ce80d1b7f02629c",
}
FASHION = {
    TRAIN_X: "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    TRAIN_Y: "25c81989df183df01b3e8a0aad5dffbe",
    TEST_X: "bef4ecab320f06d8554ea6380940ec79",
    TEST_Y: "bb300cfdad3c16e7a12a480ee83cd310",
}
ARTICLES = (
    "t-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)  # of Fashion-MNIST
KMNIST = {
    TRAIN_X: "bdb82020997e1d708af4cf47b453dcf7",
    TRAIN_Y: "e144d726b3acfaa3e44228e80efcd344",
    TEST_X: "5c965bf0a639b31b8f53240b1b52f4d7",
    TEST_Y: "7320c461ea6c1c855c0b718fb2a4b134",
}


def mnist(root: str | None) -> DataSet:
    """28x28 handwritten digits: 55,000 for training, 5,000 for validation and 10,000 for the test."""
    return _read("mnist", "MNIST", "https://ossci-datasets.s3.amazonaws.com/mnist/", MNIST, root)


def fashion_mnist(root: str | None) -> DataSet:
    """28x28 articles of clothing, with splits of the same sizes as MNIST."""
    url = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
    return _read("fashion-mnist", "FashionMNIST", url, FASHION, root, ARTICLES)


def kmnist(root: str | None) -> DataSet:
    """28x28 cursive Japanese characters, with splits of the same sizes as MNIST."""
    return _read("kmnist", "KMNIST", "http://codh.rois.ac.jp/kmnist/dataset/kmnist/", KMNIST, root)


def kmnist_test(root: str | None) -> Tensor:
    """The test pictures of KMNIST, `(10000, 1, 28, 28)` bytes, which are also published as a file of their own."""
    url = "http://codh.rois.ac.jp/kmnist/dataset/kmnist/kmnist-test-imgs.npz"
    file = Source("KMNIST/kmnist-test-imgs.npz", url, others=("kmnist-test-imgs.npz",)).locate(root)
    try:
        with np.load(file) as arrays:
            x = arrays["arr_0"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{file} is cut short or does not hold the pictures of KMNIST") from error
    fits = x.ndim == 3 and x.shape[1:] == (28, 28) and x.dtype == np.uint8
    require(fits, f"{file} does not hold pictures of 28 x 28 bytes")
    return torch.from_numpy(x)[:, None]


def _read(
    name: str, folder: str, url: str, sums: Mapping[str, str], root: str | None, names: tuple[str, ...] = ()
) -> DataSet:
    files = {}
    for file, md5 in sums.items():
        path = f"{folder}/raw/{file}"
        files[file] = read_idx(Source(f"{path}.gz", f"{url}{file}.gz", md5, (path,)).locate(root))
    splits = []
    for x, y in ((TRAIN_X, TRAIN_Y), (TEST_X, TEST_Y)):
        images, labels = files[x], files[y]
        require(images.ndim == 3 and labels.ndim == 1, f"{name}: {x} or {y} holds an array of the wrong shape")
        require(len(images) == len(labels), f"{name} has {len(images)} images in {x}, but {len(labels)} labels in {y}")
        splits.append(Split(images[:, None], labels.to(torch.int64)))
    return published(name, splits[0], splits[1], VALIDATION, names)
