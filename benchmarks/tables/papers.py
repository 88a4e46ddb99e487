"""The result tables of the two papers, beside what was measured here or the command that would measure it.

Values of the papers were not read in the papers themselves: `SURE` says where each comes from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from rows import Rows

from tables.anomalies import precision
from tables.goals import Line, number, table

REVIEW, LISTED = "a review that reprints the table", "a public list of benchmarks"
OTHERS, RECALLED = "tables of later papers", "from memory, not verified"
SURE = (REVIEW, LISTED, OTHERS, RECALLED)
DAYS = "about two days of one GPU"


class Cell(NamedTuple):
    """One row of a table of a paper.

    Args:
        what: data, model and metric.
        others: values of the paper for other models.
        value: the paper's value for its own model.
        sure: where the values come from.
        ours: the measured value, or None.
        open: what it waits for.
    """

    what: str
    others: str
    value: str
    sure: str
    ours: Callable[[], str] | None = None
    open: str = ""

    def line(self) -> Line:
        measured = "" if self.ours is None else self.ours()
        return self.what, self.others, self.value, self.sure, "; ".join(filter(None, (measured, self.open)))


def waiting(recipe: str, metrics: str = "", hardware: str = DAYS) -> str:
    """The commands that would measure a recipe."""
    options = f" --metrics {metrics}" if metrics else ""
    return f"waits for `ebm train {recipe}`, `ebm evaluate runs/{recipe}{options}`: {hardware}"


def fd_small() -> str:
    row = Rows.read("cifar10-small").one(system="cifar10-small", metric="fd")
    return f"`cifar10-small`: FD {number(row)} (judge-cifar10), no FID"


def ensemble_small() -> str:
    rows = Rows.read("cifar10-tasks").all(system="cifar10-small")
    found = {words: rows.find(metric=f"fd_ensemble{suffix}") for suffix, words in (("", "judge"), ("_lite0", "lite0"))}
    values = ", ".join(f"FD({words}) {number(r)}" for words, r in found.items() if r is not None)
    return f"`cifar10-small`, ensemble: {values}" if values else ""


def levels(metric: str, digits: int = 2) -> str:
    """A value of the network over levels of noise that comes with the package."""
    row = Rows.read("cifar10-energy-resumed").find(metric=metric, system="cifar10-energy", split="test")
    return "" if row is None else number(row, digits)


def level_distances() -> str:
    """Its Fréchet distances, of samples by class."""
    return f"`cifar10-energy`: FD(judge) {levels('fd', 1)}, FD(lite0) {levels('fd_lite0', 1)}, no FID"


def level_auroc(kind: str) -> Callable[[], str]:
    """Of the score that validation chose."""

    def ours() -> str:
        value = levels(f"auroc_{kind}")
        return f"`cifar10-energy`: {value}, by its multiscale scores" if value else ""

    return ours


def detected(digit: int) -> Callable[[], str]:
    place = (1, 4, 5, 7, 9).index(digit)
    return lambda: f"{precision('stages', 'ratio', 'pooled')[place]:.3f} (`mnist-anomaly-small`, pooled split)"


INCEPTION = "fd_inception,is_inception"
FIRST = (
    Cell(
        "CIFAR-10 without labels, one model: Inception score, FID",
        "SNGAN 8.22, 21.70; PixelIQN 5.29, 49.46; PixelCNN 4.60, 65.93; DCGAN 6.40, 37.11; WGAN-GP 6.50, 36.40",
        "6.02, 40.58",
        REVIEW,
        None,
        waiting("cifar10", INCEPTION),
    ),
    Cell(
        "the same, ensemble of ten",
        "",
        "6.78, 38.20",
        REVIEW,
        ensemble_small,
        "no command measures these two of an ensemble: `fd_replay` has FD(judge) and FD(lite0)",
    ),
    Cell(
        "CIFAR-10 by class: Inception score, FID",
        "SNGAN 8.59, 25.50; Improved GAN 8.09, –",
        "8.30, 37.90",
        REVIEW,
        lambda: f"{fd_small()}; {level_distances()}",
        waiting("cifar10-conditional", INCEPTION),
    ),
    Cell(
        "ImageNet 32 x 32 by class: Inception score, FID",
        "PixelIQN 10.18, 22.99; PixelCNN 8.33, 33.27",
        "18.22, 14.31",
        REVIEW,
        None,
        waiting("imagenet32", INCEPTION, "GPUs and the data"),
    ),
    Cell(
        "ImageNet 128 x 128 by class: Inception score, FID",
        "SNGAN 36.8, 27.62; ACGAN 28.5, –",
        "28.6, 43.70",
        REVIEW,
        None,
        waiting("imagenet128", INCEPTION, "GPUs and the data"),
    ),
    *(
        Cell(
            f"CIFAR-10 against {other}: AUROC of the energy",
            rivals,
            value,
            sure,
            level_auroc(kind),
            waiting("cifar10", "ood_sets"),
        )
        for other, kind, rivals, value, sure in (
            ("SVHN", "svhn", "PixelCNN++ 0.32, Glow 0.24 (recalled)", "0.63", LISTED),
            ("textures", "textures", "PixelCNN++ 0.33, Glow 0.27 (recalled)", "0.48", LISTED),
            ("constant pictures", "constant", "PixelCNN++ 0.0, Glow 0.0", "0.30", RECALLED),
            ("uniform noise", "uniform", "PixelCNN++ 1.0, Glow 1.0", "1.0", RECALLED),
            ("interpolations", "interpolated", "PixelCNN++ 0.71, Glow 0.59 (recalled)", "0.70", LISTED),
        )
    ),
    Cell(
        "CIFAR-10 by class: accuracy of the lowest energy",
        "",
        "49.1 % (listed) or 49.6 % (recalled)",
        f"{LISTED}; {RECALLED}",
        lambda: f"`cifar10-energy`: {100 * float(levels('accuracy', 4)):.1f} %",
        waiting("cifar10-conditional", "accuracy"),
    ),
)
LATENT = (
    *(
        Cell(
            f"{data}: mean squared error of reconstructions, FID",
            f"LEBM {lebm}; NCP-VAE {ncp}; VAE {vae}",
            value,
            sure,
            None,
            waiting(f"{name}-latent", "mse,fd_inception", "a day of one GPU, and the data"),
        )
        for data, name, lebm, ncp, vae, value, sure in (
            ("SVHN", "svhn", "0.008, 29.44", "0.020, 33.23", "0.019, 46.78", "0.004, 26.19", OTHERS),
            ("CelebA 64 x 64", "celeba64", "0.013, 37.87", "0.021, 42.07", "0.021, 65.75", "0.009, 35.38", OTHERS),
            (
                "CIFAR-10",
                "cifar10",
                "0.020, 70.15",
                "0.054, 78.06",
                "0.057, 106.37",
                "0.008, 65.01",
                f"FID: {OTHERS}; the errors: {RECALLED}",
            ),
        )
    ),
    *(
        Cell(
            f"MNIST without the digit {digit}: average precision",
            f"LEBM {lebm}; VAE {vae}",
            value,
            f"{RECALLED}; the others: {OTHERS}",
            detected(digit),
        )
        for digit, lebm, vae, value in (
            (1, ".336 ± .008", ".063", "0.531 ± .02"),
            (4, ".630 ± .017", ".337", "0.729 ± .02"),
            (5, ".619 ± .013", ".325", "0.742 ± .01"),
            (7, ".463 ± .009", ".148", "0.620 ± .02"),
            (9, ".413 ± .010", ".104", "0.499 ± .01"),
        )
    ),
)


def papers(cells: Iterable[Cell]) -> str:
    head = "row of the paper | others in it | its value | source of the values | measured here, or what it waits for"
    return table(head, (cell.line() for cell in cells))
