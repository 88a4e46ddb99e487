"""Sections of a report, one per file. To add one, write its file here and add it to `SECTIONS`, in page order."""

from energybased.report.section import Section
from energybased.report.sections.attacks import Attacks
from energybased.report.sections.composition import Composition
from energybased.report.sections.film import Film
from energybased.report.sections.mapping import Mapping
from energybased.report.sections.measurements import Measurements
from energybased.report.sections.neighbours import Neighbours
from energybased.report.sections.reconstructions import Reconstructions
from energybased.report.sections.reliability import Reliability
from energybased.report.sections.repeat import Repeat
from energybased.report.sections.restoring import Restoring
from energybased.report.sections.samples import Samples
from energybased.report.sections.scores import Scores
from energybased.report.sections.stages import Stages
from energybased.report.sections.training import Training

SECTIONS: tuple[Section, ...] = (
    Samples(),
    Measurements(),
    Neighbours(),
    Film(),
    Stages(),
    Reconstructions(),
    Restoring(),
    Mapping(),
    Composition(),
    Scores(),
    Reliability(),
    Attacks(),
    Training(),
    Repeat(),
)

__all__ = ["SECTIONS"]
