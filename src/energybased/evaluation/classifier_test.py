"""The classifier two-sample test."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from energybased.errors import require
from energybased.evaluation.outcome import Outcome, as_rows, squared_median_distance

FOLDS, PERMUTATIONS = 5, 199
BANDWIDTHS = (1.0, 0.3)  # of the Gaussian features, in multiples of the median distance
FEATURES = 100  # Gaussian features of each bandwidth
RIDGE = 30.0  # weight of the classifier's squared weights; a smaller one finds finer structure, but fewer shifts


def classifier_two_sample_test(x: Tensor, y: Tensor, generator: Generator | None = None) -> Outcome:
    """The cross-fitted AUROC of a classifier between two samples (Lopez-Paz & Oquab 2017).

    The classifier is scikit-learn's `RidgeClassifier` on the standardised entries and on Gaussian features of two
    bandwidths. It is fitted to four fifths of the rows, and its AUROC measured on the fifth, in turn; the value is the
    mean of the five. 0.5 says that it cannot tell the samples apart. The AUROCs of the folds depend on each other, so
    the p-value comes from 199 permutations of the labels, with the classifier fitted to each. Labels are permuted
    within folds, so that the test is exact.

    Args:
        x: one sample, `(n, *event)`.
        y: the other, `(m, *event)`.
        generator: draws folds, features and permutations; torch's global generator if not given.

    Raises:
        UserError: for fewer than ten rows, events that differ, or rows that are all equal.
    """
    require(x.shape[1:] == y.shape[1:], f"rows of shape {tuple(x.shape[1:])} and {tuple(y.shape[1:])} differ")
    sides = [as_rows(x, 2 * FOLDS), as_rows(y, 2 * FOLDS)]
    place = torch.device("cpu") if generator is None else generator.device
    rng = np.random.default_rng(int(torch.randint(2**62, (), generator=generator, device=place)))
    values = features(torch.cat(sides), rng)
    folds = np.concatenate([rng.permutation(len(side)) % FOLDS for side in sides])
    labels = np.repeat([False, True], [len(side) for side in sides])
    columns = np.repeat(labels[:, None], 1 + PERMUTATIONS, 1)  # the true labels, and permutations of them
    for fold in range(FOLDS):
        own = folds == fold
        columns[own, 1:] = rng.permuted(columns[own, 1:], axis=0)
    areas = torch.from_numpy(np.mean([fold_areas(values, columns, folds == fold) for fold in range(FOLDS)], 0))
    return Outcome.of(areas[0], areas[1:])


def features(rows: Tensor, rng: np.random.Generator) -> NDArray[np.float64]:
    """Standardised entries of rows `(n, dim)`, and Gaussian features (Williams & Seeger 2001), `(n, features)`."""
    from sklearn.kernel_approximation import Nystroem

    spread = rows.std(0)
    scaled = (rows - rows.mean(0)) / torch.where(spread > 0, spread, 1.0)
    h2, found = squared_median_distance(scaled), [scaled.numpy()]
    for bandwidth in BANDWIDTHS:
        gamma, seed = 1 / (2 * bandwidth**2 * h2), int(rng.integers(2**31))
        kernel = Nystroem(gamma=gamma, n_components=min(FEATURES, len(rows)), random_state=seed)
        found.append(kernel.fit_transform(scaled.numpy()))
    return np.concatenate(found, 1)


def fold_areas(values: NDArray[np.float64], columns: NDArray[np.bool_], held: NDArray[np.bool_]) -> NDArray[np.float64]:
    """AUROCs `(labelings,)` on held rows of classifiers that were fitted to the other rows, one for each labelling.

    All labellings are fitted at once, as the columns of a linear least-squares problem, which does not couple them.

    Args:
        values: features of all rows, `(n, features)`.
        columns: labels of all rows in each labelling, `(n, labelings)`.
        held: which rows are held out, `(n,)`.
    """
    from scipy.stats import rankdata
    from sklearn.linear_model import RidgeClassifier

    targets = columns.astype(np.int64)  # of booleans, scikit-learn makes true and true instead of 1 and -1
    fitted = RidgeClassifier(alpha=RIDGE).fit(values[~held], targets[~held])
    ranks = rankdata(fitted.decision_function(values[held]), axis=0)
    positive = columns[held].sum(0)
    negative = held.sum() - positive
    areas: NDArray[np.float64] = ((ranks * columns[held]).sum(0) - positive * (positive + 1) / 2) / (
        positive * negative
    )
    return areas
