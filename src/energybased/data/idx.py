"""IDX files, the format of MNIST."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from energybased.errors import UserError, require

BYTES = 0x08  # the type code of unsigned bytes, the only one in use


def read_idx(path: Path) -> Tensor:
    """Reads the array of bytes in an IDX file, which may be gzipped.

    Raises:
        UserError: if the file is cut short or its header does not fit its contents.
    """
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} is cut short or not a gzip file") from error
    require(len(raw) >= 4 and raw[:2] == b"\0\0" and raw[2] == BYTES, f"{path} is not an IDX file of bytes")
    begin = 4 + 4 * raw[3]
    require(1 <= raw[3] <= 4 and len(raw) >= begin, f"the header of {path} is cut short")
    shape = struct.unpack(f">{raw[3]}I", raw[4:begin])
    wanted = int(np.prod(shape, dtype=object))
    require(
        len(raw) - begin == wanted,
        f"the header of {path} promises {' x '.join(map(str, shape))} = {wanted} bytes, but {len(raw) - begin} follow",
    )
    return torch.from_numpy(np.frombuffer(raw, np.uint8, offset=begin).reshape(shape).copy())
