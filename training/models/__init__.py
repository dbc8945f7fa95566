"""Saved models, from this project or others, as inputs of programs."""
