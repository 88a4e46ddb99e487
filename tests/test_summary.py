"""Rows of results as tables."""

import pytest

from energybased.cli.table import show, show_all
from energybased.evaluation import Row
from energybased.evaluation.summary import summary


def row(metric, value, system="ours", by="", split="test"):
    return Row("data", system, metric, value, split, 10, f"how {metric} was measured", 0, 1.0, by or metric)


SAMPLES = [
    row("fd", 37.1, "best mixture", "fd_baselines"),
    row("fd", 32.6, by="fd"),
    row("fd", 25.6, "floor", "fd_baselines"),
    row("kd", 0.5, by="kd"),
    row("kd_error", 0.123, by="kd"),
    row("precision", 0.75, by="precision_recall"),
    row("kd_lite0", 0.25, by="kd_lite0"),
    row("kd_error_lite0", 0.05, by="kd_lite0"),
]


def test_metrics_run_down_and_systems_across_with_the_model_first():
    judge, lite = summary(SAMPLES, "ours")
    assert judge.title == "samples" and judge.head == ("", "ours", "best mixture", "floor")
    lines = [("precision", "0.750", "", "")]
    assert judge.lines == [("fd", "32.6", "37.1", "25.6"), ("kd", "0.5 ± 0.1", "", ""), lines[0]]
    assert "EfficientNet-Lite0" in lite.title and lite.lines == [("kd_lite0", "0.25 ± 0.05")]


def test_of_detection_the_aurocs_are_shown_by_system():
    systems = ["mixture", "ours", "ours (typicality)", "neighbours"]
    rows = [
        row(f"{what}_{kind}", 0.75, s, "ood")
        for s in systems
        for kind in ("noise", "flipped")
        for what in ("auroc", "auprc", "fpr95")
    ]
    (found,) = summary(rows, "ours")
    assert "AUROC" in found.title and found.head == ("", "noise", "flipped")
    assert [line[0] for line in found.lines] == ["ours", "typicality", "mixture", "neighbours"]
    assert set(found.lines[0][1:]) == {"0.750"}


def test_what_stands_behind_a_value_and_what_does_not():
    rows = [
        row("mmd", 0.25, by="mmd"),
        row("mmd_p", 0.031, by="mmd"),
        row("lonely_p", 0.5, by="own"),
        row("lonely_error", 0.5, by="own"),
    ]
    rows += [row("robust", 0.5, by="robustness"), row("robust_low", 0.44, by="robustness")]
    rows += [row("psnr", 20.0, by="inpainting"), row("psnr", 21.0, by="inpainting", split="train")]
    lines = {found.title: found.lines for found in summary(rows, "ours")}
    assert lines["density"] == [("mmd", "0.250 (p 0.031)")]
    assert lines["classification"] == [("robust", "0.500 (≥ 0.44)")]
    assert lines["own"] == [("lonely_p", "0.500"), ("lonely_error", "0.500")]
    assert lines["inpainting"] == [("psnr", "20.0"), ("psnr (train)", "21.0")]


@pytest.mark.parametrize("width", [80, 120])
def test_tables_fit_a_terminal(capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    show(SAMPLES, "ours")
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= width and "0.5 ± 0.1" in out
    show_all(SAMPLES)
    out = capsys.readouterr().out
    assert "kd_error" in out and "how fd was" in out and max(map(len, out.splitlines())) <= width
