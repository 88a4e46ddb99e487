"""What is fitted to data after the weights of an energy are trained."""

from __future__ import annotations

from dataclasses import dataclass

from energybased.models.density_of_states import DensityOfStates


@dataclass(frozen=True)
class Fitted:
    """Numbers that a model needs beside its weights; a run and an exported file store them.

    Args:
        class_terms: b_y, in nats, by which -E(x, y) is raised for each class y, since training may leave a term of the
            class alone open (`models.class_terms`); empty if nothing is open.
        mean_energy: mean energy of training examples, from which a typicality is the distance (`models.scores`); None
            for other scores.
        density_of_states: of statistics of training examples, for the scores "density of states" and "multiscale
            scores"; None for others.
    """

    class_terms: tuple[float, ...] = ()
    mean_energy: float | None = None
    density_of_states: DensityOfStates | None = None
