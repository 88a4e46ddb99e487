"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009)."""

from __future__ import annotations

from energybased.data.batches import read_batches
from energybased.data.dataset import DataSet, published
from energybased.data.source import Source

URL = "https://www.cs.toronto.edu/~kriz/"
VALIDATION = 5000
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")  # of CIFAR-10


def cifar10(root: str | None) -> DataSet:
    """32x32 photographs of ten classes: 45,000 for training, 5,000 for validation and 10,000 for the test."""
    folder, archive = "cifar-10-batches-py", "cifar-10-python.tar.gz"
    place = Source(archive, URL + archive, "c58f30108f718f92721af3b95e74349a", (folder,)).locate(root)
    train = read_batches(place, folder, [f"data_batch_{i}" for i in range(1, 6)], "labels")
    return published("cifar10", train, read_batches(place, folder, ["test_batch"], "labels"), VALIDATION, CLASSES)


def cifar100(root: str | None) -> DataSet:
    """32x32 photographs of a hundred classes, with splits of the same sizes as CIFAR-10."""
    folder, archive = "cifar-100-python", "cifar-100-python.tar.gz"
    place = Source(archive, URL + archive, "eb9058c3a382ffc7106e4002c42a8d85", (folder,)).locate(root)
    train = read_batches(place, folder, ["train"], "fine_labels")
    return published("cifar100", train, read_batches(place, folder, ["test"], "fine_labels"), VALIDATION)
