"""The engine on TensorFlow: orbit, tf.distribute and tf.train.Checkpoint."""
