"""Keras 3 recipes: backbones, losses, baselines and one training loop, one file a task."""
