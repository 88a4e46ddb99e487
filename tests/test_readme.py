"""What the README and the examples say runs as it is written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from energybased.cli import VERBS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def execute(arguments, folder):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def test_the_python_example(tmp_path):
    (block,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    done = execute(["-c", block + "\nassert restored.shape == either.shape == (16, 1, 8, 8)"], tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.name)
def test_examples(example, tmp_path):
    for needed in re.findall(r"pip install ([\w-]+)", example.read_text()):
        pytest.importorskip(needed)
    done = execute([str(example)], tmp_path)
    assert done.returncode == 0, done.stderr


def test_every_command_is_one():
    """Each `make` and `ebm` line of the README names a target or a verb that exists."""
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for block in re.findall(r"^```\n((?:make|ebm) .*?)^```", README, flags=re.DOTALL | re.MULTILINE):
        for line in block.strip().splitlines():
            tool, word = line.split()[:2]
            assert (tool, word in targets if tool == "make" else word in VERBS) in (("make", True), ("ebm", True)), line


def test_tables_are_made_from_results():
    check = "import pages as p; [p.rewritten(t := (p.ROOT / n).read_text(), n) == t or exit(n) for n in p.PAGES]"
    done = execute(["-c", check], ROOT / "benchmarks")
    assert done.returncode == 0, done.stderr
