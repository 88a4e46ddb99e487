"""ImageNet (Deng et al. 2009) at 128x128."""

from __future__ import annotations

from dataclasses import replace

import torch

from energybased.data.dataset import DataSet, published
from energybased.data.folder import pictures_in, stored
from energybased.data.source import Source, cache
from energybased.errors import require

SIZE = 128


def imagenet128(root: str | None) -> DataSet:
    """128x128 photographs of a thousand classes. The published validation split is the test split.

    The short side is scaled to 128 and the centre is cropped, as in Du & Mordatch 2019. The folders imagenet/train and
    imagenet/val are read as image-net.org gives them out, with one subfolder per class. The pixels are stored in the
    cache, in about 60 GiB.
    """
    splits = []
    for part in ("train", "val"):
        folder = Source(f"imagenet/{part}").locate(root)
        files = pictures_in(folder)
        require(len(files) > 0, f"the folder {folder} holds no pictures")
        names = sorted({file.parent.name for file in files})
        numbers = {name: i for i, name in enumerate(names)}
        labels = torch.tensor([numbers[file.parent.name] for file in files])
        splits.append(replace(stored(files, SIZE, cache() / f"imagenet{SIZE}-{part}.npy"), y=labels))
    return published("imagenet128", splits[0], splits[1], validation=0)
