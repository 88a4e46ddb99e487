"""Features of sets of pictures. Those of references are cached."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from energybased.data.fingerprint import fingerprint
from energybased.data.source import cache
from energybased.evaluation.extractors import Extractor
from energybased.evaluation.moments import Moments
from energybased.evaluation.subject import MORE_SAMPLES

ROWS = MORE_SAMPLES  # most rows that are kept: as many as metrics compare
PART = 1000  # pictures at a time
SLOW = 2.0  # seconds of work from which features of references are cached


@dataclass(frozen=True)
class Features:
    """What distances need of the features of a set of pictures. Its size does not depend on the number of pictures.

    Args:
        moments: moments of all features.
        rows: the features of at most 5,000 pictures, `(n, d)`. If there are more pictures, it is a random subset of
            them, which depends only on their number.
    """

    moments: Moments
    rows: Tensor


def extract(extractor: Extractor, x: Tensor) -> Features:
    """The features of pictures x `(n, channels, height, width)`."""
    keep, kept = kept_rows(len(x)), list[Tensor]()

    def parts() -> Iterator[Tensor]:
        for start in range(0, len(x), PART):
            found = extractor.features(x[start : start + PART]).cpu()
            kept.append(found[keep[(keep >= start) & (keep < start + len(found))] - start])
            yield found

    moments = Moments.streamed(parts())
    return Features(moments, torch.cat(kept))


def kept_rows(n: int) -> Tensor:
    """Numbers of at most 5,000 of n rows, in order, a random subset that depends on n alone."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(0), device="cpu")[:ROWS].sort().values


def reference_features(extractor: Extractor, x: Tensor) -> Features:
    """The features of pictures x `(n, channels, height, width)`, from the cache if they were computed before.

    The cache is a folder of files named by a hash of the pictures, the weights and what is done to pictures. What took
    less than two seconds is not cached.
    """
    key = hashlib.sha256(f"1 {ROWS} {PART} {extractor.digest} {fingerprint([x.cpu()])}".encode()).hexdigest()
    file = cache() / "features" / f"{key}.safetensors"
    if file.is_file():
        try:
            stored = load_file(file)
            return Features(Moments(int(stored["count"]), stored["mean"], stored["scatter"]), stored["rows"])
        except (OSError, SafetensorError, KeyError):
            pass  # a file that was cut short is written again
    began = time.monotonic()
    found = extract(extractor, x)
    if time.monotonic() - began >= SLOW:
        _store(found, file)
    return found


def _store(found: Features, file: os.PathLike[str]) -> None:
    moments = found.moments
    tensors = {"count": torch.tensor(moments.count), "mean": moments.mean, "scatter": moments.scatter}
    part = f"{os.fspath(file)}.{os.getpid()}.part"
    try:
        os.makedirs(os.path.dirname(part), exist_ok=True)
        save_file({**tensors, "rows": found.rows.contiguous()}, part)
        os.replace(part, file)
    except (OSError, SafetensorError):
        pass  # without a cache, the features are computed again next time
