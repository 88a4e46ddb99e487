"""Hashes of data. The hash of a file is cached."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from energybased.data.source import cache


def fingerprint(parts: Sequence[Tensor | Path | None]) -> str:
    """A SHA-256 hash of tensors and files. The hash of a file is cached by its path, size and modification time."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            digest.update(_of_file(part).encode())
        elif part is not None:
            digest.update(f"{tuple(part.shape)} {part.dtype}".encode())
            digest.update(part.contiguous().numpy().data)
    return digest.hexdigest()


def _of_file(file: Path) -> str:
    stat = file.stat()
    key, store = f"{file} {stat.st_size} {stat.st_mtime_ns}", cache() / "hashes.json"
    try:
        known: dict[str, str] = json.loads(store.read_text())
    except (OSError, ValueError):
        known = {}
    if key not in known:
        with file.open("rb") as stream:
            known[key] = hashlib.file_digest(stream, "sha256").hexdigest()
        try:
            store.parent.mkdir(parents=True, exist_ok=True)
            store.write_text(json.dumps(known))
        except OSError:
            pass  # without a cache, the hash is computed again next time
    return known[key]
