"""Tasks that use a trained model: sampling, composition, restoring, mapping to a class, classification, attacks."""
