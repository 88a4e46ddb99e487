"""Pictures from outside of a data set: other data sets, and pictures made from its test split."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from energybased.data import load_data
from energybased.data.folder import read_folder
from energybased.data.mnist import kmnist_test
from energybased.data.omniglot import small_omniglot
from energybased.data.source import Source
from energybased.errors import UserError

GREY, COLOUR = (1, 28, 28), (3, 32, 32)
MOST = 10_000  # pictures of each set
MOST_SETS = 6  # that a data set is compared with
log = logging.getLogger("energybased")

Pictures = Callable[[str | None], Tensor]  # root of the data -> (n, channels, height, width) in [0, 1]


def outside_sets(name: str, test: Tensor, root: str | None, generator: Generator) -> Iterator[tuple[str, Tensor]]:
    """Names and pictures `(n, *event)` in [0, 1] of the sets that do not belong to a data set.

    Grey pictures of 28 x 28 are compared with MNIST, Fashion-MNIST, KMNIST and Omniglot, and colour pictures of 32 x 32
    with SVHN, CIFAR-100 and Describable Textures. All are compared with constant and uniform pictures, and with means
    of two test pictures (Du & Mordatch 2019). Sets whose files are not found are left out, and a message names them.

    Args:
        name: of the data set.
        test: its test split, `(n, *event)`.
        root: folder with the files of published data sets.
        generator: source of random numbers.
    """
    for other, read in SETS.get(tuple(test.shape[1:]), {}).items():
        if other == name:
            continue
        try:
            x = read(root)
        except UserError as error:
            log.info("left out %s: %s", other, error)
            continue
        yield other, x[torch.randperm(len(x), generator=generator)[:MOST]]
    yield "constant", torch.rand(len(test), test.shape[1], 1, 1, generator=generator).expand(test.shape).clone()
    yield "uniform", torch.rand(test.shape, generator=generator)
    yield "interpolated", (test + test[torch.randperm(len(test), generator=generator)]) / 2


def _test_split(name: str, root: str | None) -> Tensor:
    """The test split of a named data set."""
    data = load_data(name, root)
    return data.values(data.test)


def _characters(root: str | None) -> Tensor:
    return kmnist_test(root).float() / 255


def _textures(root: str | None) -> Tensor:
    """The classes of Describable Textures (Cimpoi et al. 2014) that are in the folder dtd/images, scaled to 32 x 32."""
    return read_folder(Source("dtd/images").locate(root), 32, skip_broken=False)[0].float() / 255


def _drawings(root: str | None) -> Tensor:
    """Omniglot's drawings, scaled to 28 x 28 pixels."""
    x = small_omniglot(root)
    return F.interpolate(x.float() / 255, (28, 28), mode="area")


SETS: dict[tuple[int, ...], dict[str, Pictures]] = {
    GREY: {
        "mnist": partial(_test_split, "mnist"),
        "fashion-mnist": partial(_test_split, "fashion-mnist"),
        "kmnist": _characters,
        "omniglot": _drawings,
    },
    COLOUR: {
        "svhn": partial(_test_split, "svhn"),
        "cifar100": partial(_test_split, "cifar100"),
        "textures": _textures,
    },
}
