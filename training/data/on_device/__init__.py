"""Random changes of training images as JAX functions, which run on the accelerator."""
