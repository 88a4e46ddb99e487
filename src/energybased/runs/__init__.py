"""Training, loading and evaluation of runs."""
