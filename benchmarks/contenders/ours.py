"""keras_mlp's Mixer on TensorFlow, in the two forms that its dense layers choose from."""

import numpy as np


def flat(task):
    """The form chosen without XLA: products of two matrices, fused with bias and GELU."""
    return _forward(task, jit_compile=False)


def all_axes_with_xla(task):
    """Keras' own product over all axes, compiled by XLA."""
    from keras_mlp.layers import backend

    backend.prefers_flat_matmul = lambda: False
    return _forward(task, jit_compile=True)


def _forward(task, jit_compile):
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(task["threads"])
    tf.config.threading.set_inter_op_parallelism_threads(1)

    from keras_mlp import MLPMixer, load_checkpoint

    model = MLPMixer(**task["sizes"], include_preprocessing=False)
    load_checkpoint(model, task["weights"])
    images = np.load(task["images"])

    @tf.function(jit_compile=jit_compile)
    def forward(images):
        return model(images, training=False)

    return lambda: forward(images).numpy()
