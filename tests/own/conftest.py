"""The files here are imported by the tests that use them, and by nothing else."""

collect_ignore_glob = ["*.py"]
