"""Anomaly detection on pictures, and by trained models."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import energybased as eb
from energybased import EnergyDetector, ModelDetector, PictureDetector, UserError
from energybased.cli import main
from energybased.detectors.normal_pictures import fit_pictures
from energybased.detectors.pictures import Pictures
from energybased.energies import StandardNormal
from energybased.energies.largest import Largest
from energybased.energies.neighbours import Neighbours
from energybased.energies.patches import Patches
from energybased.evaluation.extractors.lite import load_lite


def stripes(n, across=True, seed=0):
    """Noisy stripes, `(n, 32, 32, 3)`, bytes."""
    rng = np.random.default_rng(seed)
    wave = 128 + 80 * np.sin(np.arange(32)[None, :, None] / 2 + rng.uniform(0, 6, (n, 1, 1)))
    x = np.repeat(wave, 32, 2) if across else np.repeat(wave, 32, 2).swapaxes(1, 2)
    return (np.repeat(x[..., None], 3, 3) + rng.normal(0, 10, (n, 32, 32, 3))).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def fitted():
    return PictureDetector(novelty=True, random_state=0).fit(stripes(24))


def test_other_pictures_have_higher_energies_than_any_of_the_training(fitted):
    assert fitted.decision_function(stripes(3, across=False, seed=1)).min() > fitted.decision_scores_.max()
    assert fitted.predict(stripes(3, across=False, seed=1)).tolist() == [1, 1, 1]
    assert (fitted.p_values(stripes(3, across=False, seed=1)) == 1 / 25).all()
    assert fitted.drift(stripes(12, across=False, seed=1))[0] < 0.01 < fitted.drift(stripes(12, seed=2))[0]
    assert all(fitted.drift(stripes(n, seed=6))[0] > 0.05 for n in (1, 2, 4))


def test_a_map_shows_where_a_picture_is_odd(fitted):
    x = stripes(2, seed=3)
    x[:, 4:12, 20:28] = np.random.default_rng(0).integers(0, 255, (2, 8, 8, 3))
    odd = fitted.map(x)
    assert odd.shape == (2, 32, 32)
    rest = np.ones((32, 32), dtype=bool)
    rest[1:15, 17:31] = False
    assert odd[:, 6:10, 22:26].mean() > np.quantile(odd[:, rest], 0.95)


def test_channels_bytes_and_sizes_may_differ(fitted):
    x = stripes(2, seed=4)
    first = fitted.decision_function(x)
    others = x.transpose(0, 3, 1, 2), torch.from_numpy(x).permute(0, 3, 1, 2) / 255
    for other in others:
        np.testing.assert_allclose(fitted.decision_function(other), first, atol=1e-3)
    assert fitted.decision_function(x[..., 0]).shape == (2,)
    assert fitted.decision_function(np.repeat(x, 2, 1)).shape == (2,)


def test_anomalies_among_the_training_pictures_are_found():
    x = np.concatenate([stripes(30), stripes(3, across=False, seed=1)])
    detector = PictureDetector(contamination=3 / 33, random_state=0).fit(x)
    assert np.flatnonzero(detector.labels_).tolist() == [30, 31, 32]
    scores, p_values, labels = detector.verdicts(x)
    assert (np.diff(p_values[np.argsort(scores)]) <= 0).all() and labels[30:].all()


def test_features_stand_for_pictures_and_files_for_arrays(fitted, tmp_path):
    x = stripes(3, seed=7)
    for i, each in enumerate(x):
        Image.fromarray(each).save(tmp_path / f"{i}.png")
    expected = fitted.decision_function(x)
    np.testing.assert_array_equal(fitted.decision_function(fitted.features(x)), expected)
    np.testing.assert_allclose(fitted.decision_function(tmp_path), expected, atol=1e-3)
    assert fitted.places(x).shape == (3, 14, 14) and fitted.map(tmp_path).shape == (3, 224, 224)


def test_a_fit_that_fails_changes_nothing(fitted):
    x, other = stripes(2, seed=8), pickle.loads(pickle.dumps(fitted))
    with pytest.raises(UserError):
        other.set_params(novelty=False).fit(np.full((9, 8, 8), 2.0))
    np.testing.assert_array_equal(other.p_values(x), fitted.p_values(x))
    with pytest.raises(UserError, match="random_state"):
        PictureDetector(random_state=-1).fit(x)
    assert fitted.predict_confidence(stripes(2, across=False, seed=8)).min() > 0.5


def test_pictures_that_are_all_alike():
    x = np.repeat(stripes(1), 8, 0)
    assert np.isfinite(PictureDetector(novelty=True, random_state=0).fit(x).decision_function(stripes(2, seed=1))).all()


def test_saved_pickled_and_cloned(fitted, tmp_path):
    x, file = stripes(2, across=False, seed=5), tmp_path / "detector.safetensors"
    fitted.save(file)
    for other in (PictureDetector.load(file), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(other.decision_function(x), fitted.decision_function(x))
        np.testing.assert_array_equal(other.map(x), fitted.map(x))
    with pytest.raises(UserError, match="detector of pictures"):
        EnergyDetector.load(file)
    EnergyDetector(random_state=0).fit(np.eye(5)).save(file)
    with pytest.raises(UserError, match="detector of tables"):
        PictureDetector.load(file)
    with pytest.raises(NotFittedError):
        clone(fitted).predict(x)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.zeros((2, 5, 8, 8)), "pictures are"),
        (np.zeros((3, 8, 8, 3)), "at least 4"),
        (np.full((9, 8, 8), 2.0), r"in \[0, 1\]"),
        (np.full((9, 8, 8), np.nan), "no NaN"),
        (np.zeros((9, 8, 8), np.int64), "bytes or numbers"),
        (np.zeros((9, 3, 8, 3), np.uint8), "first or last"),
        (np.zeros((32, 32, 3), np.uint8), "a single one"),
        (np.zeros((0, 8, 8), np.uint8), "no pictures"),
        ([["a"]], "an array of numbers"),
        ("nowhere", "nothing at nowhere"),
        (3, "pictures are"),
    ],
)
def test_what_is_no_picture_is_refused(given, said):
    with pytest.raises(UserError, match=said):
        PictureDetector().fit(given)


def test_a_file_that_is_no_picture_is_named(tmp_path):
    for i, x in enumerate(stripes(5)):
        Image.fromarray(x).save(tmp_path / f"{i}.png")
    (tmp_path / "3.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"3\.png is not a readable picture"):
        PictureDetector().fit(tmp_path)
    with pytest.raises(UserError, match="holds no pictures"):
        (tmp_path / "empty").mkdir()
        PictureDetector().fit(tmp_path / "empty")


def test_features_with_patches_are_those_without(rng):
    lite, x = load_lite(0), torch.rand(5, 3, 16, 16, generator=rng)
    whole, patches = lite.with_patches(x)
    torch.testing.assert_close(whole, lite.features(x))
    assert patches.shape == (5, 196, 152) and patches.isfinite().all()


def test_held_out_energies_are_those_of_new_pictures(rng):
    """Of pictures alike, the energies of the training ones and of new ones have one distribution: p-values are uniform.

    Their mean differs from 1/2 by less than four standard errors, of the references and of the new pictures together.
    """
    n, features, patches = 200, torch.randn(400, 100, generator=rng), torch.randn(400, 6, 4, generator=rng)
    unit = torch.nn.functional.normalize
    features, patches = unit(features, dim=1).double(), unit(patches, dim=2)
    folds, scores = fit_pictures(features[:n], patches[:n], rng)
    new = folds.energies(torch.cat([features[n:], patches[n:].flatten(1)], 1).double())
    p = torch.stack([(own[None] >= e[:, None]).double().mean(1) for own, e in zip(folds.references, new, strict=True)])
    assert scores.shape == (n,) and abs(float(p.mean()) - 0.5) < 4 * (1 / 12 * (1 / n + 1 / n)) ** 0.5


def test_patches_and_largest_by_their_definitions(rng):
    points, x = torch.rand(20, 3, generator=rng), torch.rand(4, 7, 3, generator=rng)
    energy = Patches(points, 2)
    each = torch.cdist(x, points).topk(2, 2, largest=False).values.mean(2).log()
    torch.testing.assert_close(energy.places(x), each)
    torch.testing.assert_close(energy(x), each.sort(1).values[:, -5:].mean(1))
    with pytest.raises(UserError, match="patches"):
        energy(x[:, 0])
    both = Largest([StandardNormal(3), Neighbours(points, 1)])
    torch.testing.assert_close(both(x[0]), torch.maximum(StandardNormal(3)(x[0]), Neighbours(points, 1)(x[0])))
    assert isinstance(both.select(torch.tensor([0])), Largest)


# By a trained model


@pytest.fixture(scope="module")
def model():
    return eb.load("mnist-energy")


def squares(n, seed=0):
    """Pictures `(n, 1, 28, 28)` of a square somewhere."""
    x, rng = torch.zeros(n, 1, 28, 28), np.random.default_rng(seed)
    for picture in x:
        i, j = rng.integers(4, 12, 2)
        picture[:, i : i + 12, j : j + 12] = 1.0
    return x


def test_a_model_gets_p_values_from_examples(model):
    detector = ModelDetector(model, novelty=True, random_state=0).fit(squares(19))
    assert detector.decision_scores_.shape == (19,)
    noise = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    assert (detector.p_values(noise) == 1 / 20).all()
    spot = squares(1, seed=1)
    spot[:, :, :2, :2] = 1.0
    odd = detector.map(spot)
    assert odd.shape == (1, 28, 28) and np.isfinite(odd).all() and odd[0, :2, :2].mean() > 4 * odd.mean()
    bytes_last = (squares(1, seed=1).numpy() * 255).astype(np.uint8).transpose(0, 2, 3, 1)
    np.testing.assert_allclose(detector.decision_function(bytes_last), detector.decision_function(squares(1, seed=1)))
    with pytest.raises(UserError, match="two examples"):
        ModelDetector(model).fit(squares(1))
    with pytest.raises(UserError, match="a trained model"):
        ModelDetector("mnist-energy").fit(squares(3))
    with pytest.raises(UserError, match="x must be"):
        detector.predict(torch.zeros(2, 1, 8, 8))


# The command


def test_the_command_on_folders(tmp_path, capsys):
    for name, x in (("old", stripes(24)), ("new", np.concatenate([stripes(3, seed=1), stripes(2, False, seed=2)]))):
        (tmp_path / name).mkdir()
        for i, each in enumerate(x):
            Image.fromarray(each).save(tmp_path / name / f"{i:02}.png")
    out, html, kept = tmp_path / "a.csv", tmp_path / "a.html", tmp_path / "d.safetensors"
    command = ["detect", str(tmp_path / "new"), "--train"]
    options = ["--novelty", "--contamination", "0.05", "--report", str(html), "--save", str(kept)]
    assert main([*command, str(tmp_path / "old"), *options, "--out", str(out)]) == 0
    lines = out.read_text().splitlines()
    assert lines[0] == "name,score,p_value,label,oddest" and len(lines) == 6
    assert [line.split(",")[3] for line in lines[1:]] == ["0", "0", "0", "1", "1"] and "% down" in lines[-1]
    assert html.read_text().count("<figure>") >= 2 and "2 of 5 examples are anomalous" in html.read_text()
    assert main([*command, str(kept), "--out", str(tmp_path / "b.csv")]) == 0
    assert (tmp_path / "b.csv").read_text() == out.read_text()
    capsys.readouterr()
    assert main([*command, str(kept), "--novelty"]) == 2 and "has its settings" in capsys.readouterr().err
    refused = {
        ("new", "--ignore", "x"): "of tables",
        ("new", "--reasons", "2"): "of tables",
        ("new/00.png",): "single picture",
        ("new", "--train", str(tmp_path / "none")): "nothing at",
        ("new", "--train", str(kept), "--save", str(kept)): "would be overwritten",
        ("new", "--seed", "-1"): "random_state",
    }
    for (what, *more), said in refused.items():
        assert main(["detect", str(tmp_path / what), *more]) == 2
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1
    assert main(["detect", str(tmp_path / "new"), "--train", str(tmp_path / "old"), "--novelty"]) == 0
    assert "of 5 examples" in capsys.readouterr().err


def test_the_command_by_a_model(tmp_path, capsys):
    np.savez(tmp_path / "held.npz", x=squares(12).numpy())
    np.savez(tmp_path / "new.npz", x=np.concatenate([squares(2, 5).numpy(), np.random.rand(1, 1, 28, 28)]).astype("f4"))
    command = ["detect", str(tmp_path / "new.npz"), "--train", str(tmp_path / "held.npz"), "--model", "mnist-energy"]
    assert main([*command, "--novelty", "--contamination", "0.1", "--out", str(tmp_path / "c.csv")]) == 0
    assert (tmp_path / "c.csv").read_text().splitlines()[-1].split(",")[3] == "1"
    assert main([*command, "--save", str(tmp_path / "d.safetensors")]) == 2 and "--save" in capsys.readouterr().err


def test_pictures_are_read_when_needed(tmp_path):
    for i, x in enumerate(stripes(4)):
        Image.fromarray(x).save(tmp_path / f"{i}.png")
    found = Pictures.of(tmp_path, 16)
    assert len(found) == 4 and len(found.select(np.array([2, 0]))) == 2
    assert torch.cat(list(found.chunks())).shape == (4, 3, 16, 16)
