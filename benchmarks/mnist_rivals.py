"""Rivals of `mnist-conditional` in the tables of pictures: `python benchmarks/mnist_rivals.py --minutes 40`.

    mixture           a Gaussian and a mixture of Gaussians: bits a dimension
    pixelcnn          samples, bits a dimension, detection by its likelihood
    gan               samples
    vae               samples, its bound in bits a dimension, detection by this bound
    unet              removal of salt and pepper
    cnn, attacked-cnn accuracy under attack

Each rival is trained for these CPU minutes of one thread, and then measured on the test split. Its weights are those
that were the best on the validation split. They are kept in runs/rivals, and not trained again. Rows are written to
results/mnist-rivals.json, and samples to results/mnist-rivals-NAME.png.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import classifier
import gan
import pixelcnn
import torch
import tyro
import unet
import vae
from learner import NOISE
from rows import RESULTS, Measured
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from tyro.conf import Positional

from energybased.data import DataSet, load_data
from energybased.data.pictures import save_png, sheet
from energybased.evaluation import Row, Subject
from energybased.evaluation.detection import auroc, base_rate
from energybased.evaluation.frechet import frechet_distance
from energybased.evaluation.metrics.denoising import Denoising
from energybased.evaluation.metrics.frechet_row import frechet_row, reference
from energybased.evaluation.metrics.log_likelihood import Likelihood, baselines, likelihood_rows, noisy
from energybased.evaluation.metrics.robustness import Robustness
from energybased.evaluation.outside import outside_sets
from energybased.evaluation.restoration import psnr, ssim
from energybased.evaluation.subject import LITE
from energybased.runs.judge import find_judge

OUTSIDE = ("fashion-mnist", "kmnist", "omniglot")
TIMES, CHOSEN_BY = (1, 2, 4), 500  # numbers of denoising steps; samples that choose one on the validation split
SCORED = 2000  # most pictures of each set whose densities are computed; a PixelCNN is slow
PARTICLES = 50  # importance samples of the bound of the VAE
ATTACKED = 500  # test pictures that are attacked
Score = Callable[[Tensor], Tensor]


class Rival(NamedTuple):
    """A rival.

    Args:
        name: in rows.
        measure: rows of its trained network.
        build: makes its untrained network; None if there is none.
        fit: trains the network for some minutes, and says how.
    """

    name: str
    measure: Callable[[Any, Subject], Iterator[Row]]
    build: Callable[[DataSet], Any] | None = None
    fit: Callable[[Any, DataSet, float, int], str] | None = None


def of_pixelcnn(network: pixelcnn.PixelCNN, subject: Subject) -> Iterator[Row]:
    y = torch.arange(subject.count) % subject.data.classes
    v = network.many(y, subject.rng())
    held = subject.judge.features(subject.data.values(subject.data.validation))
    some = slice(CHOSEN_BY)

    def distance(times: int) -> float:
        return frechet_distance(subject.judge.features(network.denoised(v[some], y[some], times)), held)

    times = min(TIMES, key=distance)
    how = f"samples of p(v | class), denoised {times} times, a number chosen on the validation split from {TIMES}"
    yield from of_samples(subject, network.denoised(v, y, times), how)
    yield from of_density(subject, network.likelihood, "exact, class unknown")


def of_gan(network: gan.Drawer, subject: Subject) -> Iterator[Row]:
    y = torch.arange(subject.count) % subject.data.classes
    yield from of_samples(subject, network.many(y, subject.rng()), "samples by class")


def of_vae(network: vae.Vae, subject: Subject) -> Iterator[Row]:
    yield from of_samples(subject, network.sample(subject.count, subject.rng()), "samples without classes")

    def bound(v: Tensor) -> Tensor:
        return network.importance(v, PARTICLES, subject.rng())

    yield from of_density(subject, bound, f"a lower bound in expectation, {PARTICLES} importance samples")


def of_samples(subject: Subject, x: Tensor, how: str) -> Iterator[Row]:
    """Fréchet distances of samples `(n, *event)`."""
    subject.pictures["fd"] = x
    yield frechet_row(subject, "fd", x, reference(subject), how)
    if subject.has(LITE[0]):
        yield frechet_row(subject, "fd_lite0", x, reference(subject, "lite0", len(x)), how)


def of_density(subject: Subject, log_prob: Score, how: str) -> Iterator[Row]:
    """The mean of log p on noisy test pictures, and -log p as a detector, on pictures without noise and with it."""
    subject = subject.part(SCORED)
    x = noisy(subject, subject.data.test, subject.rng(), NOISE)
    yield from likelihood_rows(subject, "", Likelihood(log_prob(x)), NOISE, how)
    yield from of_detection(subject, lambda x: -log_prob(x), f"-log p, {how}, on x without noise", subject.system)

    def of_copy(x: Tensor) -> Tensor:
        return -log_prob(x + NOISE * torch.randn(x.shape, generator=subject.rng()))

    what = f"-log p, {how}, on a copy of x with noise of {NOISE:g}"
    yield from of_detection(subject, of_copy, what, f"{subject.system} (noisy copy)")


def of_detection(subject: Subject, score: Score, what: str, system: str) -> Iterator[Row]:
    """AUROC against as many pictures of the other data sets of the metric `ood_sets`."""
    x = subject.test
    inside = score(x)
    for name, other in outside_sets(subject.data.name, x, None, subject.rng()):
        if name in OUTSIDE:
            other = other[: len(x)]
            counts = f"{len(x)} test examples against {len(other)} of {name}"
            protocol = f"{what}: {counts}, {base_rate('auroc', len(x), len(other))}"
            yield subject.row(f"auroc_{name}", auroc(inside, score(other)), protocol, n=len(x), system=system)


def of_unet(network: unet.UNet, subject: Subject) -> Iterator[Row]:
    """The pictures and their degradation are those of the metric `denoising`."""
    truth = subject.part(Denoising().pictures).test
    x = network.restored(unet.DEGRADATION.apply(truth, subject.rng()))
    protocol = f"{len(truth)} random test pictures with {unet.DEGRADATION.share:.0%} of the pixels set to 0 or 1"
    for name, value in {"psnr": psnr, "ssim": ssim}.items():
        yield subject.row(f"denoised_{name}", float(value(x, truth).mean()), protocol, n=len(truth))


def of_classifier(network: classifier.Classifier, subject: Subject) -> Iterator[Row]:
    """The attacks are those of the metric `robustness` on the logits."""
    model = SimpleNamespace(logits=network, offers=frozenset(), to=lambda dtype: model)
    for row in Robustness().measure(replace(subject.part(ATTACKED), model=model)):
        yield row._replace(protocol=f"{row.protocol}; {row.n} random test pictures")


def of_mixtures(_: None, subject: Subject) -> Iterator[Row]:
    """Densities that are fitted to training pictures, and widened by the noise."""
    subject = subject.part(SCORED)
    x = noisy(subject, subject.data.test, subject.rng(), NOISE).flatten(1).double()
    for system, (values, how) in baselines(subject, x, subject.rng()).items():
        yield from likelihood_rows(subject, "", Likelihood(values), NOISE, how, system)


RIVALS = {
    "mixture": Rival("mixture of Gaussians", of_mixtures),
    "unet": Rival("U-Net", of_unet, unet.build, unet.fit),
    "cnn": Rival("CNN", of_classifier, classifier.build, classifier.fit),
    "attacked-cnn": Rival("CNN trained under PGD", of_classifier, classifier.build, classifier.fit_attacked),
    "gan": Rival("GAN", of_gan, gan.build, gan.fit),
    "vae": Rival("VAE", of_vae, vae.build, vae.fit),
    "pixelcnn": Rival("PixelCNN", of_pixelcnn, pixelcnn.build, pixelcnn.fit),
}


def trained(name: str, data: DataSet, minutes: float, seed: int) -> tuple[Any, str]:
    """The trained network of a rival, and how it was trained, from runs/rivals if it is there."""
    _, _, build, fit = RIVALS[name]
    if build is None or fit is None:
        return None, "fitted to training pictures"
    torch.manual_seed(seed)
    network, file = build(data), Path("runs/rivals") / f"{name}-{minutes:g}-{seed}.safetensors"
    if file.exists():
        network.load_state_dict(load_file(file))
        with safe_open(file, "pt") as stored:
            how = stored.metadata()["how"]
    else:
        how = fit(network, data, minutes, seed)
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file({key: value.contiguous() for key, value in network.state_dict().items()}, file, {"how": how})
    parameters = sum(p.numel() for p in network.parameters())
    print(f"{name}: {parameters} parameters, {how}", flush=True)
    return network.eval().requires_grad_(False), f"{parameters / 1e6:.2f} million parameters, {how}"


def main(
    names: Positional[tuple[str, ...]] = tuple(RIVALS), /, minutes: float = 40.0, seeds: tuple[int, ...] = (0,)
) -> None:
    torch.set_num_threads(1)
    data = load_data("mnist")
    for name in names:
        found = Measured("mnist-rivals", seeds)
        for seed in seeds:
            network, how = trained(name, data, minutes, seed)
            more = {"minutes": minutes} if network is not None else {}
            model = SimpleNamespace(noise=NOISE, offers=frozenset())
            subject = Subject(model, data, find_judge(data), seed, RIVALS[name].name)
            began = time.monotonic()
            for row in RIVALS[name].measure(network, subject):
                now = time.monotonic()
                fields = {"data": row.data, "system": row.system, "metric": row.metric, "split": row.split}
                found.add(row.value, f"{row.protocol}; {how}", now - began, more, **fields)
                began = now
            if "fd" in subject.pictures and seed == seeds[0]:
                classes = 0 if name == "vae" else data.classes
                save_png(sheet(subject.pictures["fd"][:100], classes), RESULTS / f"mnist-rivals-{name}.png")
        found.write()


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
