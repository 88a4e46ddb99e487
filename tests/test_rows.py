"""Rows of results/: which seed a value belongs to, and when seeds that were measured one after another are joined."""

import json
import math
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from energybased import UserError
from energybased.evaluation.row import Row

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))
rows = pytest.importorskip("rows")


@pytest.fixture
def measure(tmp_path, monkeypatch):
    """A function that measures seeds, and returns seeds, values and the mean of the row that is then in the file."""
    monkeypatch.setattr(rows, "RESULTS", tmp_path)

    def of(values, protocol="p", command="c"):
        found = rows.Measured("name", command=command)
        for seed, value in values.items():
            found.add(value, protocol, 1.0, seed=seed, metric="m")
        found.write(join=True)
        (row,) = json.loads((tmp_path / "name.json").read_text())
        return row["seeds"], row["per_seed"], row["value"]

    return of


def test_seeds_are_joined(measure):
    assert measure({1: 2.0}) == ([1], [2.0], 2.0)
    assert measure({0: 1.0, 5: 6.0}) == ([1, 0, 5], [2.0, 1.0, 6.0], 3.0)


def test_a_value_that_is_not_finite_has_no_mean(measure):
    assert measure({0: math.nan}) == ([0], [None], None)
    assert measure({1: 1.0}) == ([0, 1], [None, 1.0], None)


@pytest.mark.parametrize("other", [{"protocol": "q"}, {"values": {0: 3.0}}])
def test_what_differs_replaces_a_row_and_says_so(measure, capsys, other):
    measure({0: 1.0, 1: 2.0})
    assert measure(**{"values": {2: 3.0}, **other})[1] == [3.0]
    assert "are replaced" in capsys.readouterr().out


def test_seeds_in_turn(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "RESULTS", tmp_path)
    found = rows.Measured("name", [4, 7], "c")
    for value in (1.0, 2.0):
        found.add(value, "p", 1.0, metric="m")
    found.write()
    assert json.loads((tmp_path / "name.json").read_text())[0]["seeds"] == [4, 7]


def test_values_of_runs_have_the_seeds_of_their_runs(tmp_path, monkeypatch):
    """A run may lack a metric that another has; runs of other steps, or of one seed, are refused."""
    tasks = pytest.importorskip("tasks")

    def run_of(name):
        seed, steps = {"a": (0, 10), "b": (1, 10), "c": (2, 20)}[name]
        recipe = {"recipe": "r", "settings": {"seed": seed, "steps": steps, "data": "d"}}
        return SimpleNamespace(name=name, recipe=recipe, lines=lambda file: [{"processor_seconds": 60.0}])

    def read_rows(run):
        names = {"a": ("m",), "b": ("m", "other")}[run.name]
        return [Row("d", "r", name, 1.0, "test", 1, "p", 0) for name in names]

    monkeypatch.setattr(rows, "RESULTS", tmp_path)
    monkeypatch.setattr(tasks, "run_of", run_of)
    monkeypatch.setattr(tasks, "read_rows", read_rows)
    for names, words in (("ac", "differ in recipe or steps"), ("aa", "two runs have the same seed"), ("", "a run")):
        monkeypatch.setattr(sys, "argv", ["tasks.py", "name", *names])
        with pytest.raises(UserError, match=words):
            tasks.main()
    monkeypatch.setattr(sys, "argv", ["tasks.py", "name", "a", "b"])
    tasks.main()
    found = json.loads((tmp_path / "name.json").read_text())
    assert {row["metric"]: row["seeds"] for row in found} == {"m": [0, 1], "minutes": [0, 1], "other": [1]}
