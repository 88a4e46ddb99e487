"""Files of published data sets, found under a root or in the cache, or downloaded."""

from __future__ import annotations

import hashlib
import os
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError

from energybased.errors import UserError, require

TIMEOUT = 5.0  # seconds to wait for a server
CHUNK = 1 << 20


@dataclass(frozen=True)
class Source:
    """A file of a published data set.

    Args:
        path: path under the data root and in the cache.
        url: address of the file; empty if it cannot be downloaded freely.
        md5: checksum of the file; not checked if empty.
        others: alternative paths under the root and in the cache, such as that of the unpacked file.
        sha256: the first digits of the file's SHA-256, where that is published; not checked if empty.
        advice: what else a user can do who has the file.
    """

    path: str
    url: str = ""
    md5: str = ""
    others: tuple[str, ...] = ()
    sha256: str = ""
    advice: str = "name the folder with --data-root or EBM_DATA"

    def find(self, root: str | None) -> Path | None:
        """The path of the file under the root or in the cache; None if it is in neither."""
        for folder in roots(root):
            for name in (self.path, *self.others):
                if (folder / name).exists():
                    return folder / name
        return None

    def locate(self, root: str | None) -> Path:
        """The path of the file. It is downloaded into the cache if it is not found.

        Raises:
            UserError: if the file cannot be downloaded. The message says where to put it.
        """
        found = self.find(root)
        if found is not None:
            return found
        place = f"put it at {roots(root)[0] / self.path}, or {self.advice}"
        require(bool(self.url), f"{self.path} was not found and cannot be downloaded freely: {place}")
        target = cache() / self.path
        try:
            download(self.url, target, self.md5, self.sha256)
        except HTTPError as error:
            raise UserError(f"{self.path} was not found and {self.url} answers {error.code}: {place}") from error
        except (URLError, HTTPException, TimeoutError, ConnectionError) as error:
            raise UserError(f"{self.path} was not found and {self.url} does not answer: {place}") from error
        except OSError as error:
            raise UserError(f"cannot write {target}: {error.strerror or error}") from error
        return target


def cache() -> Path:
    """The folder of downloaded files."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "energybased"


def roots(root: str | None) -> list[Path]:
    """The folders that are searched for files, in order."""
    named = root or os.environ.get("EBM_DATA")
    return [Path(named), cache()] if named else [cache()]


def download(url: str, target: Path, md5: str, sha256: str = "") -> None:
    """Downloads a file. It gets its final name only when it is complete and its checksums are right."""
    from rich.progress import Progress

    part, got = target.with_name(f"{target.name}.{os.getpid()}.part"), 0
    digest, other = hashlib.md5(), hashlib.sha256()
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
            size = int(answer.headers.get("Content-Length") or 0)
            target.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file, Progress() as bar:
                task = bar.add_task(target.name, total=size or None)
                while chunk := answer.read(CHUNK):
                    file.write(chunk)
                    digest.update(chunk)
                    other.update(chunk)
                    got += len(chunk)
                    bar.update(task, advance=len(chunk))
        require(not size or got == size, f"the download of {url} was cut short: {got} of {size} bytes arrived")
        same = (not md5 or digest.hexdigest() == md5) and other.hexdigest().startswith(sha256)
        require(same, f"{url} is not the published file: its checksum differs")
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)
