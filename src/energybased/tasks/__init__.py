"""Tasks that use a trained model: denoising and composition."""
