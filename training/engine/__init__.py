"""What carries a run out: optimizers, the loop, checkpoints; a folder for each backend."""
