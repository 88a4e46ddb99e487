"""Small files in the formats of the published data sets."""

import gzip
import pickle
import struct
import tarfile
import zipfile

import numpy as np
from PIL import Image


def idx(array):
    return b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def batch(n, rng, labels="labels", first=0, side=32):
    data = rng.integers(0, 256, (n, 3 * side * side), dtype=np.uint8)
    return pickle.dumps({"data": data, labels: [first + i % 4 for i in range(n)], "batch_label": "one"}, protocol=2)


def picture(file, rng, size=(40, 30), mode="RGB"):
    file.parent.mkdir(parents=True, exist_ok=True)
    channels = (3,) if mode == "RGB" else ()
    Image.fromarray(rng.integers(0, 256, (size[1], size[0], *channels), dtype=np.uint8), mode).save(file)


def write_all(root):
    """One of each, twenty to sixty examples large."""
    rng = np.random.default_rng(0)
    for name in ("MNIST", "FashionMNIST", "KMNIST"):
        folder = root / name / "raw"
        folder.mkdir(parents=True)
        for part, n in (("train", 40), ("t10k", 20)):
            x, y = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8), np.arange(n, dtype=np.uint8) % 10
            (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(x)))
            (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(y))
    cifar = root / "cifar-10-batches-py"
    cifar.mkdir()
    for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
        (cifar / name).write_bytes(batch(10, rng))
    folder = root / "packed" / "cifar-100-python"
    folder.mkdir(parents=True)
    for name in ("train", "test"):
        (folder / name).write_bytes(batch(20, rng, "fine_labels"))
    with tarfile.open(root / "cifar-100-python.tar.gz", "w:gz") as archive:
        archive.add(folder, "cifar-100-python")
    folder = root / "imagenet32"
    folder.mkdir()
    for name in [f"train_data_batch_{i}" for i in range(1, 11)] + ["val_data"]:
        (folder / name).write_bytes(batch(4, rng, first=1))
    svhn(root / "SVHN", rng)
    np.savez(
        root / "dsprites_ndarray_co1sh3sc6or40x32x32_64x64.npz",
        imgs=rng.integers(0, 2, (60, 64, 64), dtype=np.uint8),
        latents_classes=np.stack([np.arange(60) % 3] * 6, 1),
        metadata=np.array({"title": "pickled, never read"}, dtype=object),
    )
    (root / "omniglot").mkdir()
    for part, letters in (("background", "abcd"), ("evaluation", "ef")):
        for letter in letters:
            for i in range(6):
                name = f"images_{part}/Alphabet/character_{letter}/{i:04d}.png"
                file = root / "packed" / name
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(rng.integers(0, 2, (105, 105)).astype(bool)).save(file)
                with zipfile.ZipFile(root / "omniglot" / f"images_{part}.zip", "a") as archive:
                    archive.write(file, name)
    for i in range(30):
        picture(root / "celeba" / "img_align_celeba" / f"{i:06d}.jpg", rng, (178, 218))
    parts = "\n".join(f"{i:06d}.jpg {i % 3}" for i in range(30))
    (root / "celeba" / "list_eval_partition.txt").write_text(parts)
    for part in ("train", "val"):
        for i in range(12):
            picture(root / "imagenet" / part / f"n0144076{i % 2}" / f"{part}_{i}.JPEG", rng, (150, 140))


def svhn(folder, rng, shape=(32, 32, 3)):
    from scipy.io import savemat

    folder.mkdir(exist_ok=True)
    for part in ("train", "test"):
        x = rng.integers(0, 256, (*shape, 20), dtype=np.uint8)
        savemat(folder / f"{part}_32x32.mat", {"X": x, "y": (np.arange(20) % 10 + 1)[:, None].astype(np.uint8)})
