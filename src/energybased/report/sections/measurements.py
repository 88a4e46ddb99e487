"""The measured values."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from typing import ClassVar

from energybased.evaluation.summary import NETWORKS, summary
from energybased.report.page import note
from energybased.report.section import Contents

NAMES = {
    "fd": "Fréchet distance (judge)",
    "fd_buffer": "Fréchet distance, chains of the replay buffer",
    "fd_long": "Fréchet distance, chains ten times as long",
    "fd_posterior": "Fréchet distance, posteriors of training data",
    "mse": "reconstruction error",
    "auprc": "held-out class, average precision",
    "kd": "kernel distance (judge)",
    "is": "Inception score (judge)",
    "fd_fresh": "Fréchet distance (judge), fresh samples",
    "fd_replay": "Fréchet distance (judge), a buffer at test time",
    "fd_ensemble": "Fréchet distance (judge), past weights in turn",
    "copying_pixels": "nearer to training than test examples are, in pixels; 1/2 if nothing is copied",
    "copying_entries": "nearer to training than test examples are; 1/2 if nothing is copied",
    "copying_judge": "nearer to training than test examples are, in the judge's features; 1/2 if nothing is copied",
    "confident": "fraction with judge confidence > 0.9",
    "class_asked": "fraction whose class for the judge is the class asked for",
    "class_entropy": "entropy of the judge's classes, nats",
    "energy_distance": "energy distance",
    "joint_energy_distance": "energy distance, x and its condition",
    "accuracy": "accuracy",
    "ksd": "kernel Stein discrepancy",
    "ksd_chains": "kernel Stein discrepancy, chains",
    "c2st": "classifier two-sample test, AUROC",
    "mmd": "maximum mean discrepancy",
    "prior_ksd": "kernel Stein discrepancy, prior",
    "prior_c2st": "classifier two-sample test of the prior, AUROC",
    "prior_mmd": "maximum mean discrepancy, prior",
    "log_likelihood": "log-likelihood, nats",
    "bits_per_dim": "bits a dimension",
    "log_likelihood_width": "log-likelihood of samples, backward less forward, nats",
    "log_z_width": "width of the sandwich of log Z, nats",
    "energy_w1": "Wasserstein distance of training and test energies, nats",
    "energy_auroc": "training against test energies, AUROC",
    "ece": "expected calibration error",
    "ece_scaled": "expected calibration error, with a temperature",
    "nll": "negative log-likelihood of the class, nats",
    "nll_scaled": "negative log-likelihood of the class, with a temperature",
    "inpainted_accuracy": "inpainted: accuracy of the judge",
    "inpainted_lead": "inpainted: accuracy less that of the nearest neighbour",
    "inpainted_mse": "inpainted: mean squared error",
    "inpainted_psnr": "inpainted: PSNR, dB",
    "inpainted_ssim": "inpainted: structural similarity",
    "denoised_psnr": "denoised: PSNR, dB",
    "denoised_ssim": "denoised: structural similarity",
    "mapped": "called the target by the judge",
    "mapped_distance": "distance to the source, per pixel",
}
DETECTION = {  # a longer beginning before a shorter one
    "auroc": "AUROC",
    "auprc_in": "average precision, held-out data as positives",
    "auprc": "average precision",
    "fpr95": "false-positive rate at 95 % true positives",
}


class Measurements:
    """The rows of results.json: a few tables, and all rows with their protocols to unfold."""

    title: ClassVar[str] = "Measurements"
    needs: ClassVar[tuple[str, ...]] = ()

    def bodies(self, contents: Contents) -> Iterator[str]:
        rows, system = contents.rows, contents.subject.system
        if not rows:
            return
        for title, head, lines in summary(rows, system):
            heads = "".join(f'<th class="number">{html.escape(named(name))}</th>' for name in head[1:])
            shown = "".join(line_of(named(line[0]), numbers=line[1:]) for line in lines)
            yield f"<table><tr><th>{html.escape(title)}</th>{heads}</tr>{shown}</table>"
        if any(row.metric.startswith("fd") for row in rows):
            yield note(
                "Fréchet distance to held-out data in the features of a network, which the protocol names. "
                "The judge is a small classifier. Less is better."
            )
        if any(row.metric.startswith("auroc") for row in rows):
            yield note("AUROC: held-out data against other pictures. 1 is perfect, 0.5 is chance.")
        heads = "".join(f"<th>{name}</th>" for name in ("metric", "system", "value", "protocol"))
        every = "".join(line_of(named(r.metric), r.system, numbers=[r.text], last=r.protocol) for r in rows)
        opened = f"all {len(rows)} values, and how they were measured"
        yield f"<details><summary>{opened}</summary><table><tr>{heads}</tr>{every}</table></details>"


def line_of(*texts: str, numbers: Sequence[str], last: str | None = None) -> str:
    """HTML of a line of a table: texts, numbers, and a last text."""
    cells = [f"<td>{html.escape(text)}</td>" for text in texts]
    cells += [f'<td class="number">{html.escape(number)}</td>' for number in numbers]
    cells += [] if last is None else [f"<td>{html.escape(last)}</td>"]
    return f"<tr>{''.join(cells)}</tr>"


def named(metric: str) -> str:
    """The name of a metric in words; any other text as it is."""
    base, bracket, split = metric.partition(" (")
    if base in NAMES:
        return f"{NAMES[base]}{bracket}{split}"
    if metric.endswith("_p"):
        test = metric.removesuffix("_p")
        return f"{NAMES.get(test, test)}, p-value"
    for start, words in DETECTION.items():
        if metric.startswith(f"{start}_"):
            return f"{words}, {metric.removeprefix(f'{start}_')}"
    base, _, network = metric.rpartition("_")
    if network in NETWORKS:
        return f"{(NAMES.get(base) or named(base)).replace(' (judge)', '')} ({NETWORKS[network]})"
    if network == "error":
        return f"{NAMES.get(base) or named(base)}, standard error"
    return f"Fréchet distance after {metric.split('_')[2]} stages" if metric.startswith("fd_stage_") else metric
