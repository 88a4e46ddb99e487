"""Anomaly detection on tables."""

import pickle
import re
import warnings

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from scipy.sparse import coo_array
from scipy.stats import binom
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from energybased import EnergyDetector, EnergyOutlierDetector, UserError
from energybased.cli import main
from energybased.data.adbench import adbench
from energybased.detectors import normal
from energybased.detectors.p_values import conformal, discoveries, empirical_null
from energybased.energies.neighbours import Neighbours, lowest
from energybased.energies.surprisal import Surprisal
from energybased.energies.tails import Tails
from energybased.networks.column_denoiser import noise_of_columns


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(normal, "UPDATES", 40)


def table(n=300, seed=0):
    """Normal rows, of which the third column is the sum of the others."""
    x = np.random.default_rng(seed).standard_normal((n, 2))
    return np.column_stack([x, x.sum(1)]) + 0.1 * np.random.default_rng(seed + 1).standard_normal((n, 3))


def planted(n=300):
    """Rows of which the first ten are anomalies, and their labels."""
    x, y = table(n), np.arange(n) < 10
    x[y, 2] += 8.0
    return x, y


@pytest.mark.parametrize(
    "detector", [EnergyDetector(random_state=0), EnergyDetector(novelty=True, random_state=0)], ids=str
)
def test_scikit_learns_contract(detector, monkeypatch):
    monkeypatch.setattr(normal, "UPDATES", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_estimator(detector)


def test_scikit_learns_contract_for_outlier_detectors():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_estimator(EnergyOutlierDetector(random_state=0))


def test_planted_anomalies_have_the_highest_energies():
    x, y = planted()
    detector = EnergyDetector(contamination=10 / 300, random_state=0).fit(x)
    assert detector.labels_[y].mean() >= 0.8 and detector.labels_.sum() == 10
    semi = EnergyDetector(novelty=True, random_state=0).fit(table(seed=5))
    energies = semi.decision_function(x)
    assert energies[y].min() > np.quantile(energies[~y], 0.95)
    assert energies.dtype == np.float64
    np.testing.assert_array_equal(semi.score_samples(x), -energies)


def test_labels_are_those_of_the_threshold():
    x, _ = planted()
    detector = EnergyDetector(contamination=0.05, random_state=0).fit(x)
    assert detector.threshold_ == np.quantile(detector.decision_scores_, 0.95)
    np.testing.assert_array_equal(detector.labels_, detector.decision_scores_ > detector.threshold_)
    energies = detector.decision_function(x)
    np.testing.assert_array_equal(detector.predict(x), energies > detector.threshold_)
    probabilities = detector.predict_proba(x)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    assert detector.predict_proba(x, method="unify").max() <= 1
    outlier = EnergyOutlierDetector(contamination=0.05, random_state=0).fit(x)
    np.testing.assert_array_equal(outlier.predict(x) == -1, detector.predict(x) == 1)
    np.testing.assert_array_equal(outlier.decision_function(x) < 0, detector.predict(x) == 1)


def test_confidence_is_the_probability_of_the_same_label():
    x, _ = planted()
    detector = EnergyDetector(contamination=0.1, random_state=0).fit(x)
    labels, confidence = detector.predict(x, return_confidence=True)
    n, below = len(x), (detector.decision_scores_ <= detector.decision_function(x[:1])).sum()
    anomalous = 1 - binom.cdf(n - int(n * 0.1), n, (1 + below) / (2 + n))
    assert confidence[0] == pytest.approx(anomalous if labels[0] else 1 - anomalous)
    rejected = detector.predict_with_rejection(x, T=2)
    np.testing.assert_array_equal(rejected == -2, np.abs(2 * confidence - 1) <= 1 - 2 * np.exp(-2))
    np.testing.assert_array_equal(detector.predict_confidence(x), confidence)


def test_p_values_of_normal_rows_are_uniform():
    calibration, test = 2000, 4000
    detector = EnergyDetector(novelty=True, random_state=0).fit(table(calibration))
    p = detector.p_values(table(test, seed=50))
    error = np.sqrt(0.1 * 0.9 * (1 / calibration + 1 / test))
    assert abs((p < 0.1).mean() - 0.1) < 3 * error
    assert p.min() > 0 and p.max() <= 1


def test_auto_controls_the_false_discovery_rate():
    rng, rates, powers = np.random.default_rng(3), [], []
    detector = EnergyDetector(novelty=True, contamination="auto", random_state=0).fit(table(2000))
    assert detector.labels_.sum() == 0 and detector.threshold_ == np.inf
    for seed in range(20):
        x, y = table(400, seed=100 + 2 * seed), np.arange(400) < 20
        x[y] += rng.choice([-6, 6], (20, 3))
        found = detector.predict(x).astype(bool)
        rates.append((found & ~y).sum() / max(1, found.sum()))
        powers.append(found[y].mean())
    assert np.mean(rates) < 0.1 + 3 * np.std(rates) / np.sqrt(len(rates))
    assert np.mean(powers) > 0.5


def test_auto_finds_anomalies_among_the_training_rows():
    x, y = planted(1000)
    x[y] += 8
    detector = EnergyDetector(contamination="auto", random_state=0).fit(x)
    assert detector.labels_[y].all()
    assert detector.threshold_ == detector.decision_scores_[detector.labels_ == 1].min()


@pytest.mark.parametrize("novelty", [False, True])
def test_saved_and_pickled_detectors_say_the_same(novelty, tmp_path):
    x, _ = planted()
    detector = EnergyDetector(novelty=novelty, random_state=0).fit(x)
    detector.save(tmp_path / "detector.safetensors")
    for other in (EnergyDetector.load(tmp_path / "detector.safetensors"), pickle.loads(pickle.dumps(detector))):
        np.testing.assert_array_equal(other.decision_function(x), detector.decision_function(x))
        np.testing.assert_array_equal(other.predict(x), detector.predict(x))
        assert other.explain(x[:1]) == detector.explain(x[:1])
        assert other.get_params() == detector.get_params()
    again = clone(detector).fit(x)
    np.testing.assert_array_equal(again.decision_scores_, detector.decision_scores_)


def test_files_that_are_no_detectors_are_refused(tmp_path):
    path = tmp_path / "detector.safetensors"
    with pytest.raises(UserError, match="there is no file"):
        EnergyDetector.load(path)
    EnergyDetector(random_state=0).fit(table()).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="cut short"):
        EnergyDetector.load(path)
    torch.save({}, path)
    with pytest.raises(UserError, match="cut short or not a detector"):
        EnergyDetector.load(path)
    with pytest.raises(NotFittedError):
        EnergyDetector().save(path)


def test_the_changed_column_is_the_first_reason():
    detector = EnergyDetector(novelty=True, random_state=0).fit(table(500))
    row = np.array([[1.0, -1.0, 3.0]])  # the third column should be 0
    first, *others = detector.explain(row)[0]
    assert first.column == "2" and abs(first.normal) < 1 and first.changed < first.energy and first.p_value > 0.05
    assert str(first).startswith("2 = 3, not ") and len(others) == 2
    assert len(detector.explain(row, columns=1)[0]) == 1


def test_missing_cells_are_an_entry_of_their_own():
    x = table(400)
    x[::7, 0] = np.nan
    detector = EnergyDetector(novelty=True, random_state=0).fit(x)
    usual, odd = x[:50], np.array([[0.0, np.nan, 0.0]])  # the second column lacks no cell in training
    assert detector.decision_function(odd)[0] > np.quantile(detector.decision_function(usual), 0.9)
    assert detector.explain(odd)[0][0].value is None
    np.testing.assert_array_equal(detector.predict(usual).shape, (50,))


def test_categories_are_levels_and_not_numbers():
    rng = np.random.default_rng(0)
    kind = rng.choice(["red", "blue"], 300)
    x = np.column_stack([np.where(kind == "red", 5.0, -5.0) + rng.standard_normal(300), kind]).astype(object)
    detector = EnergyDetector(novelty=True, categories=[1], random_state=0).fit(x)
    good, wrong, new = (detector.decision_function(np.array([[5.0, c]], dtype=object))[0] for c in ("red", "blue", "x"))
    assert good < wrong and good < new
    assert detector.explain(np.array([[5.0, "x"]], dtype=object))[0][0].normal in ("red", "blue", 5.0)
    with pytest.raises(UserError, match="no column 7"):
        EnergyDetector(categories=[7]).fit(table())


def test_data_frames_have_names_and_text():
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame({"size": rng.standard_normal(80), "kind": rng.choice(["a", "b"], 80)})
    detector = EnergyDetector(random_state=0).fit(frame)
    assert list(detector.feature_names_in_) == ["size", "kind"]
    assert detector.explain(frame[:1])[0][0].column in ("size", "kind")
    with pytest.raises(ValueError, match="feature names"):
        detector.predict(frame[["kind", "size"]])


def test_it_fits_into_a_pipeline():
    x, _ = planted()
    assert make_pipeline(StandardScaler(), EnergyDetector(random_state=0)).fit(x).predict(x).shape == (300,)


def test_pyod_takes_it_as_one_of_its_own():
    pytest.importorskip("pyod")
    from energybased.detectors.pyod import EnergyPyOD

    x, _ = planted()
    detector = EnergyPyOD(contamination=0.05, random_state=0).fit(x)
    own = EnergyDetector(contamination=0.05, random_state=0).fit(x)
    np.testing.assert_array_equal(detector.labels_, own.labels_)
    np.testing.assert_array_equal(detector.predict(x), own.predict(x))
    np.testing.assert_allclose(detector.predict_proba(x), own.predict_proba(x), atol=1e-12)
    np.testing.assert_allclose(detector.predict_confidence(x), own.predict_confidence(x))
    assert clone(detector).get_params() == detector.get_params()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyOD warns of its own default
        found = detector.predict_with_rejection(x, T=5), own.predict_with_rejection(x, T=5)
        np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("contamination", [0.0, 0.6, "often", None, -1])
def test_contamination_out_of_range_is_refused(contamination):
    with pytest.raises(ValueError, match="contamination is a number"):
        EnergyDetector(contamination=contamination).fit(table())


@pytest.mark.parametrize("novelty", [False, True])
@pytest.mark.parametrize("x", [np.ones((50, 2)), table(3), table(40)[:, :1], np.ones((2, 1)), table(8).repeat(9, 1)])
def test_strange_tables_give_finite_energies(x, novelty):
    detector = EnergyDetector(novelty=novelty, random_state=0).fit(x)
    assert np.isfinite(detector.decision_scores_).all() and np.isfinite(detector.decision_function(x)).all()
    assert np.isfinite(detector.p_values(x)).all()


@pytest.mark.parametrize("novelty", [False, True])
@pytest.mark.parametrize("large", [1e6, 3.4e38, 1e160, 1e300])
def test_very_large_values_are_anomalous(large, novelty):
    detector = EnergyDetector(novelty=novelty, random_state=0).fit(table())
    assert detector.predict([[large, 0.0, 0.0]]) == 1
    x = table()
    x[0, 0] = large
    again = EnergyDetector(random_state=0).fit(x)
    assert again.labels_[0] == 1 and np.isfinite(again.decision_scores_).all()


def test_what_was_constant_is_odd_if_it_changes():
    x = np.column_stack([table(), np.full(300, 1e-6)])
    detector = EnergyDetector(novelty=True, random_state=0).fit(x)
    changed = x[:20].copy()
    changed[:, 3] = 1e-2
    assert (detector.decision_function(changed) > detector.decision_function(x[:20])).all()


def test_equal_categories_have_equal_text_whatever_their_type():
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame({"a": rng.standard_normal(100), "k": [0, 1, 2, 3] * 25, "b": [True, False] * 50})
    detector = EnergyDetector(novelty=True, categories=["k"], random_state=0).fit(frame)
    for kind in (float, object, "Int64", "string"):
        same = frame[:5].astype({"k": kind})
        np.testing.assert_allclose(detector.decision_function(same), detector.decision_function(frame[:5]))
    words = pandas.array(["x", "y", None] * 20, dtype="string")
    odd = pandas.DataFrame({"a": rng.standard_normal(60), "k": words, "n": pandas.array([1, None, 3] * 20, "Int64")})
    odd["day"], odd["o"] = pandas.date_range("2020-01-01", periods=60), odd["a"].astype(object)
    detector = EnergyDetector(random_state=0).fit(odd)
    assert detector.levels_ == {1: ["x", "y"]} and np.isfinite(detector.decision_scores_).all()


def test_duplicates_do_not_hide_anomalies():
    x = np.random.default_rng(0).standard_normal((300, 3))
    x[:200] = 0
    detector = EnergyDetector(random_state=0).fit(x)
    assert detector.predict([[1e3, 1e3, 1e3]]) == 1 and np.ptp(detector.decision_scores_) < 1e3
    binary = EnergyDetector(random_state=0).fit((x > 0).astype(float))
    assert np.ptp(binary.decision_scores_) < 1e3


def test_settings_of_the_fit_are_kept_and_settings_are_checked(tmp_path):
    x, _ = planted()
    detector = EnergyDetector(novelty=np.bool_(True), contamination=np.float32(0.1), random_state=0).fit(x)
    before = detector.p_values(x)
    detector.set_params(novelty=False, contamination=0.4)
    np.testing.assert_array_equal(detector.p_values(x), before)
    detector.save(tmp_path / "d.safetensors")
    assert EnergyDetector.load(tmp_path / "d.safetensors").novelty is True
    with pytest.raises(UserError, match="novelty is True or False"):
        EnergyDetector(novelty="False").fit(x)
    with pytest.raises(UserError, match="contamination is a number"):
        EnergyOutlierDetector(contamination="auto").fit(x)
    for bad in ([1, 2, 3], [[["a"]]], coo_array(np.eye(3))):
        with pytest.raises((ValueError, TypeError)):
            EnergyDetector(categories=[0]).fit(bad)


@pytest.mark.parametrize("part", ["scores", "kept", "encoder.scale", "labels", "references0"])
def test_parts_that_do_not_belong_together_are_refused(part, tmp_path):
    path = tmp_path / "d.safetensors"
    EnergyDetector(random_state=0).fit(table()).save(path)
    with safe_open(path, "pt") as file:
        tensors, facts = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    tensors[part] = tensors[part][..., :1].contiguous() if part != "references0" else tensors[part] * torch.nan
    save_file(tensors, path, metadata=facts)
    with pytest.raises(UserError, match="is damaged"):
        EnergyDetector.load(path)


def test_own_rows_have_p_values_of_their_own(tmp_path):
    detector = EnergyDetector(novelty=True, random_state=0).fit(table(400))
    assert detector.p_values_.shape == (400,) and abs((detector.p_values_ <= 0.1).mean() - 0.1) < 0.01


def test_reasons_lower_the_energy():
    x, y = planted()
    for row in EnergyDetector(novelty=True, random_state=0).fit(table(seed=5)).explain(x[y]):
        assert all(reason.changed < reason.energy and reason.value != reason.normal for reason in row)


def test_a_change_of_units_is_drift():
    detector = EnergyDetector(novelty=True, random_state=0).fit(table(500))
    p, column = detector.drift(table(200, seed=8) * np.array([1, 1, 1000.0]))
    assert p < 1e-6 and column == "2"
    missing = table(200, seed=8)
    missing[:, 1] = np.nan
    p, column = detector.drift(missing)
    assert p < 1e-6 and column == "1"


def test_drift_is_seen_and_anomalies_are_none():
    x, _ = planted(1000)
    detector = EnergyDetector(novelty=True, random_state=0).fit(table(1000, seed=9))
    assert detector.drift(x)[0] > 0.001
    p, column = detector.drift(table(1000, seed=30) + np.array([0.0, 0.5, 0.0]))
    assert p < 0.001 and column == "1"


def test_discoveries_are_those_of_benjamini_and_hochberg():
    p = np.array([0.001, 0.8, 0.03, 0.04, 0.9])
    np.testing.assert_array_equal(discoveries(p, 0.1), [True, False, True, True, False])
    assert not discoveries(np.array([0.5, 0.9]), 0.1).any()


def test_conformal_p_values_count_references():
    energies = np.array([[2.5, 9.0], [0.0, 9.0]])
    np.testing.assert_allclose(conformal(energies, [np.array([1.0, 2.0, 3.0]), np.array([4.0])]), [3 / 5, 1 / 5])
    e = np.random.default_rng(0).standard_normal(20_000)
    assert abs((empirical_null(e, e) < 0.1).mean() - 0.1) < 0.015  # 3 errors of the quartiles, through the density


def test_neighbours_are_those_of_scikit_learn():
    rng = torch.Generator().manual_seed(0)
    points, x = torch.randn(200, 4, generator=rng).double(), torch.randn(30, 4, generator=rng).double()
    energy = Neighbours(points, 5)
    found = NearestNeighbors(n_neighbors=5).fit(points.numpy())
    np.testing.assert_allclose(energy(x).exp(), found.kneighbors(x.numpy())[0].mean(1), rtol=1e-6)
    np.testing.assert_allclose(energy.among_points().exp(), found.kneighbors()[0].mean(1), rtol=1e-6)


def test_tails_are_those_of_ecod():
    x = torch.tensor([[1.0], [2.0], [10.0]])
    terms = Tails(x).terms(torch.tensor([[2.0]]))
    np.testing.assert_allclose(terms[:, 0, 0], -np.log([3 / 4, 3 / 4, 3 / 4]), rtol=1e-6)
    np.testing.assert_allclose(Tails(x).among_rows(x)[2], -np.log(1 / 3), rtol=1e-6)  # the tail is on the right


def test_surprisals_are_comparable_and_ordered_beyond_the_references():
    term = Surprisal(Neighbours(torch.zeros(3, 1), 1), torch.arange(100.0))
    values = term.of(torch.tensor([-1.0, 50.0, 99.0, 200.0, 400.0]))
    assert values[0] == 0 and (values.diff() > 0).all()
    assert values[1] == pytest.approx(-np.log(51 / 101), rel=1e-5)


def test_columns_of_long_tails_get_more_noise():
    rng = torch.Generator().manual_seed(0)
    normal_column, two = torch.randn(4000, generator=rng), torch.randn(4000, generator=rng).sign()
    sigma = noise_of_columns(torch.stack([normal_column, two, normal_column**3, torch.zeros(4000)], 1))
    assert 0.1 <= sigma[1] < sigma[0] < sigma[2] and sigma[3] == 0.5


def write(path, x, names="a,b,c"):
    path.write_text("\n".join([names, *(",".join(f"{v:.5f}" for v in row) for row in x)]) + "\n")
    return path


def test_the_command_writes_scores_reasons_and_a_page(tmp_path, capsys):
    x, _ = planted()
    file, out, page = write(tmp_path / "x.csv", x, "a,b,label"), tmp_path / "out.csv", tmp_path / "page.html"
    assert main(["detect", str(file), "--contamination", "0.03", "--out", str(out), "--report", str(page)]) == 0
    lines = out.read_text().splitlines()
    assert lines[0] == "row,score,p_value,label,reasons" and len(lines) == 301
    assert sum(",1," in line for line in lines) == 9 and "not " in out.read_text()
    assert "of 300 rows are anomalous" in page.read_text() and "<svg" in page.read_text()
    assert "'label' may be the label" in capsys.readouterr().err


def test_a_saved_detector_judges_a_file(tmp_path, capsys):
    train, file = (
        write(tmp_path / "train.csv", table(200)),
        write(tmp_path / "x.csv", table(300, seed=40) + np.array([0, 0, 9])),
    )
    kept = tmp_path / "detector.safetensors"
    command = ["detect", str(file), "--train"]
    assert main([*command, str(train), "--novelty", "--save", str(kept), "--out", str(tmp_path / "1.csv")]) == 0
    assert main([*command, str(kept), "--out", str(tmp_path / "2.csv")]) == 0
    assert (tmp_path / "1.csv").read_text() == (tmp_path / "2.csv").read_text()
    assert main([*command, str(kept), "--novelty"]) == 2 and "has its settings" in capsys.readouterr().err


@pytest.mark.parametrize("n", [30, 320, 335, 1000])
def test_the_lowest_are_those_of_topk(n, rng):
    x = torch.randn(50, n, generator=rng)
    assert torch.equal(lowest(x, 20).sort(1).values, x.topk(20, 1, largest=False).indices.sort(1).values)


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("a,b\n1,2\n3\n", [], "row 2 of .* has 1 cells"),
        ("a,b\n1,2\n", [], "minimum of 2"),
        ("a,b\n1,inf\n2,3\n", [], "column 'b' is infinite in row 1"),
        ("a,b\n1,2\n2,3\n", ["--ignore", "c"], "no column 'c'"),
        ("a,b\n1,2\n2,3\n", ["--contamination", "0.7"], "contamination"),
        ("a,b\n1,2\n2,3\n", ["--report", "page.txt"], "must end in .html"),
    ],
)
def test_what_the_command_refuses(text, options, said, tmp_path, capsys):
    file = tmp_path / "x.csv"
    file.write_text(text)
    assert main(["detect", str(file), *options]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and re.search(said, error)


def test_tables_of_adbench_are_found_by_name(tmp_path):
    folder = tmp_path / "adbench"
    folder.mkdir()
    np.savez(folder / "45_wine.npz", X=np.arange(6).reshape(3, 2), y=[0, 0, 1])
    x, y = adbench("wine", str(tmp_path))
    assert x.dtype == np.float64 and y.tolist() == [0, 0, 1]
    with pytest.raises(UserError, match="did you mean 'wine'"):
        adbench("wines", str(tmp_path))
    (folder / "45_wine.npz").write_bytes(b"PK")
    with pytest.raises(UserError, match="cut short"):
        adbench("wine", str(tmp_path))
