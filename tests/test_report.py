"""Sections of reports that draw measured values."""

from energybased.data import load_data
from energybased.evaluation import Row, Subject
from energybased.report.section import Contents
from energybased.report.sections.attacks import Attacks, points_of
from energybased.report.sections.measurements import Measurements, named


def rows(**values):
    return [
        Row("digits", "ours", metric, value, "test", 9, "told", 0, 1.0, "robustness")
        for metric, value in values.items()
    ]


def test_accuracies_under_attack_are_curves_over_epsilon():
    names = {f"robust_{norm}_{kind}": 0.5 for norm in ("linf_0.1", "linf_0.2", "l2_1") for kind in ("pgd", "least")}
    found = rows(robust_clean=0.9, **names)
    bodies = list(Attacks().bodies(Contents(None, None, found)))
    assert len(bodies) == 3 and "largest change of a pixel" in bodies[0] and "Euclidean length" in bodies[1]
    values = {row.metric: row.value for row in found} | {
        "robust_linf_0.1_sampler_low": 0.1,
        "robust_linf_0.1_sampler": 0.3,
    }
    assert sorted(points_of(values, "robust_linf_", "_pgd")) == [(0.1, 0.5), (0.2, 0.5)]
    assert list(points_of(values, "robust_linf_", "_sampler")) == [(0.1, 0.3)]
    assert list(Attacks().bodies(Contents(None, None, []))) == []


def test_measurements_are_tables_and_every_row_is_there_to_unfold():
    subject = Subject(None, load_data("digits"), system="ours")
    page = "".join(
        Measurements().bodies(
            Contents(None, subject, rows(robust_clean=0.9, robust_clean_sampler=0.5, robust_clean_sampler_low=0.4))
        )
    )
    assert "0.500 (≥ 0.4)" in page and page.count("told") == 3 and "all 3 values" in page


def test_names_in_words():
    assert named("kd_error_lite0") == "kernel distance, standard error (EfficientNet-Lite0)"
    assert named("inpainted_mse (train)") == "inpainted: mean squared error (train)"
    assert named("digits (typicality)") == "digits (typicality)" and named("c2st_p").endswith("AUROC, p-value")
