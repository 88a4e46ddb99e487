"""Hashes of data, remembered for files that are mapped into memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from energybased.data.source import cache


def fingerprint(parts: Sequence[Tensor | Path | None]) -> str:
    """A SHA-256 of tensors and files; a file is read once, and then known by its path, size and time."""
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
            pass  # a hash that is not remembered is made again
    return known[key]
