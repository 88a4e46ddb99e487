"""From a recipe to a run and back: training, loading, measuring."""
