"""Tasks that use a trained model: composition, classification, and attacks on classifiers."""
