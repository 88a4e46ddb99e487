"""The measured values."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import ClassVar

from energybased.report.page import note
from energybased.report.section import Contents

NETWORKS = {"lite0": "EfficientNet-Lite0", "lite1": "EfficientNet-Lite1", "inception": "Inception"}
NAMES = {
    "fd": "Fréchet distance (judge)",
    "fd_buffer": "Fréchet distance, chains of the replay buffer",
    "fd_long": "Fréchet distance, chains ten times as long",
    "fd_posterior": "Fréchet distance, posteriors of training data",
    "mse": "reconstruction error",
    "auprc": "held-out class, average precision",
    "kd": "kernel distance (judge)",
    "is": "Inception score (judge)",
    "confident": "fraction with judge confidence > 0.9",
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
    "class_accuracy": "accuracy of p(y | x)",
    "ece": "expected calibration error",
    "ece_scaled": "expected calibration error, with a temperature",
    "nll": "negative log-likelihood of the class, nats",
    "nll_scaled": "negative log-likelihood of the class, with a temperature",
}
DETECTION = {  # a longer beginning before a shorter one
    "auroc": "AUROC",
    "auprc_in": "average precision, held-out data as positives",
    "auprc": "average precision",
    "fpr95": "false-positive rate at 95 % true positives",
}


class Measurements:
    """The rows of results.json as a table."""

    title: ClassVar[str] = "Measurements"
    needs: ClassVar[tuple[str, ...]] = ()

    def bodies(self, contents: Contents) -> Iterator[str]:
        if not contents.rows:
            return
        cells = ""
        for row in contents.rows:
            mark = ' class="ours"' if row.system == contents.subject.system else ""
            words = (NAMES.get(row.metric) or named(row.metric), row.system)
            texts = "".join(f"<td>{html.escape(text)}</td>" for text in words)
            cells += f'<tr{mark}>{texts}<td class="number">{row.text}</td><td>{html.escape(row.protocol)}</td></tr>'
        head = "".join(f"<th>{name}</th>" for name in ("metric", "system", "value", "protocol"))
        yield f"<table><tr>{head}</tr>{cells}</table>"
        if any(row.metric.startswith("fd") for row in contents.rows):
            yield note(
                "Fréchet distance to held-out data in the features of a network, which the protocol names. "
                "The judge is a small classifier. Less is better."
            )
        if any(row.metric.startswith("auroc") for row in contents.rows):
            yield note("AUROC: held-out data against as many changed copies. 1 is perfect, 0.5 is chance.")


def named(metric: str) -> str:
    """The name of a metric in words."""
    if metric.endswith("_p"):
        test = metric.removesuffix("_p")
        return f"{NAMES.get(test, test)}, p-value"
    for start, words in DETECTION.items():
        if metric.startswith(f"{start}_"):
            return f"{words}, {metric.removeprefix(f'{start}_')}"
    base, _, network = metric.rpartition("_")
    if network in NETWORKS:
        return f"{(NAMES.get(base) or named(base)).removesuffix(' (judge)')} ({NETWORKS[network]})"
    if network == "error":
        return f"{NAMES.get(base) or named(base)}, standard error"
    return f"Fréchet distance after {metric.split('_')[2]} stages" if metric.startswith("fd_stage_") else metric
