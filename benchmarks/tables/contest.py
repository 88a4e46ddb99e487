"""The recipes over MNIST beside their rivals, task by task."""

from __future__ import annotations

from collections.abc import Iterator

from rows import Row, Rows

from tables.goals import Line, number, table

FILES = {"mnist-conditional": "mnist-tasks"}  # rows of our recipes, by system
LEFT_OUT = ("floor", "damaged", "untouched")  # not rivals
WHAT = {  # metric: words, digits, and 1 if more is better, -1 if less
    "fd": ("FD of samples", 1, -1),
    "fd_lite0": ("FD of samples, in the features of EfficientNet-Lite0", 1, -1),
    "bits_per_dim": ("bits a dimension, test pictures with noise .3", 4, -1),
    "auroc_fashion-mnist": ("AUROC against Fashion-MNIST", 4, 1),
    "auroc_kmnist": ("AUROC against KMNIST", 4, 1),
    "auroc_omniglot": ("AUROC against Omniglot", 4, 1),
    "denoised_psnr": ("salt and pepper, 30 %: PSNR in dB", 1, 1),
    "robust_clean": ("accuracy without attack", 3, 1),
    **{f"robust_linf_{e}_least": (f"accuracy under all attacks, ℓ∞ {e}", 3, 1) for e in ("0.1", "0.2", "0.3")},
    **{f"robust_l2_{e}_least": (f"accuracy under all attacks, ℓ2 {e}", 3, 1) for e in ("1", "2", "3")},
}


def contest() -> str:
    """A line for each task that a rival was measured on."""
    rivals = Rows.read("mnist-rivals")
    files = [Rows.read(file).all(split="test") for file in FILES.values()]
    return table("what | ours | rivals, the best first | ahead", lines(rivals, files))


def lines(rivals: Rows, files: list[Rows]) -> Iterator[Line]:
    measured = {r["metric"] for r in rivals}
    for metric, (words, digits, sign) in WHAT.items():
        if metric in measured:
            rows = {r["system"]: r for file in [*files, rivals] for r in file.all(metric=metric)}
            ours = [r for name, r in rows.items() if name in FILES]
            others = [r for name, r in rows.items() if is_rival(name)]
            others.sort(key=lambda r: -sign * r["value"])
            best = max([*ours, *others], key=lambda r: sign * r["value"])["system"] if ours else ""
            yield words, told(ours, digits), told(others, digits), best


def is_rival(system: str) -> bool:
    """Whether a system is none of ours, and no reference."""
    return not system.startswith((*FILES, "mean of")) and system not in LEFT_OUT


def told(rows: list[Row], digits: int) -> str:
    return "; ".join(f"{r['system']} {number(r, digits)}" for r in rows)
