"""The models whose weights come with this package: exported files in its folder `weights`, each beside its card."""

from __future__ import annotations

from pathlib import Path

from energybased.errors import UserError, nearest, require

FOLDER = Path(__file__).parents[1] / "weights"


def shipped() -> dict[str, Path]:
    """The exported files of the models that come with this package, by name."""
    return {file.stem: file for file in sorted(FOLDER.glob("*.safetensors"))}


def located(path: Path | str) -> Path:
    """The path, if there is something at it; otherwise the file of the shipped model of this name.

    Raises:
        UserError: if there is neither, or the name of a shipped model is that of a folder without a run.
    """
    path, known = Path(path), shipped()
    named = known.get(str(path))
    if path.exists():
        hides = named is not None and path.is_dir() and not (path / "recipe.json").is_file()
        require(not hides, f"the folder {path} is not a run, and hides the shipped model {path}: rename it")
        return path
    if named is not None:
        return named
    missing = f"there is no run or exported model at {path}"
    raise UserError(f"{missing}, and no shipped model of this name: {nearest(str(path), known)}" if known else missing)
