"""Tasks that use a trained model: composition, restoring damaged examples, and mapping them to another class."""
