"""Published data sets by name, and data of the user.

To add a data set, write its file here and add it to `DATASETS`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from energybased.data.celeba import celeba
from energybased.data.cifar import cifar10, cifar100
from energybased.data.dataset import DataSet, DataSpec, Split
from energybased.data.digits import digits
from energybased.data.domain import AnyDomain, Pixels, Reals
from energybased.data.dsprites import dsprites
from energybased.data.files import as_dataset, from_arrays, from_path
from energybased.data.imagenet32 import imagenet32
from energybased.data.imagenet128 import imagenet128
from energybased.data.mnist import fashion_mnist, kmnist, mnist
from energybased.data.omniglot import omniglot
from energybased.data.svhn import svhn
from energybased.errors import UserError, nearest, require

DATASETS: dict[str, Callable[[str | None], DataSet]] = {
    "digits": digits,
    "mnist": mnist,
    "fashion-mnist": fashion_mnist,
    "kmnist": kmnist,
    "cifar10": cifar10,
    "cifar100": cifar100,
    "svhn": svhn,
    "imagenet32": imagenet32,
    "imagenet128": imagenet128,
    "celeba": celeba,
    "dsprites": dsprites,
    "omniglot": omniglot,
}


def load_data(
    source: str, root: str | None = None, size: int | None = None, skip_broken: bool = False, label: str | None = None
) -> DataSet:
    """Loads the data set of this name, or the data at this path.

    Args:
        root: folder with the files of published data sets. It is searched before the cache.
        size: scale and crop the pictures of the user's folder to size x size.
        skip_broken: leave out pictures of the user's folder that cannot be read.
        label: column of a table, or array of a `.npz` file, that holds the labels.

    Raises:
        UserError: if there is no such data set, folder or file, or it cannot be read.
    """
    require(source != "", "the recipe has no data set of its own: give the path of your data with --data PATH")
    if source in DATASETS:
        data = DATASETS[source](root)
        unused = size is not None or skip_broken or label is not None
        ignored = f"--size, --skip-broken and --label apply only to your own data: they are ignored for {source}"
        return data.noted(ignored) if unused else data
    if Path(source).suffix or Path(source).exists():
        return from_path(source, size, skip_broken, label)
    raise UserError(f"there is no data set, folder or file {source!r}: {nearest(source, DATASETS)}")


__all__ = [
    "DATASETS",
    "AnyDomain",
    "DataSet",
    "DataSpec",
    "Pixels",
    "Reals",
    "Split",
    "as_dataset",
    "from_arrays",
    "from_path",
    "load_data",
]
