"""tf.distribute strategies by name."""

import tensorflow as tf


def build_strategy(runtime):
    """The strategy that a config names.

    Args:
        runtime: a `training.config.Runtime`.

    Returns:
        A `tf.distribute.Strategy`.
    """
    if runtime.virtual_cpus:
        (cpu,) = tf.config.list_physical_devices("CPU")
        devices = [tf.config.LogicalDeviceConfiguration()] * runtime.virtual_cpus
        tf.config.set_logical_device_configuration(cpu, devices)
    gpus = [device.name for device in tf.config.list_logical_devices("GPU")]
    devices = gpus or [device.name for device in tf.config.list_logical_devices("CPU")]
    if runtime.strategy == "one_device":
        return tf.distribute.OneDeviceStrategy(devices[0])
    # On virtual CPUs the collective reduction of the default fails; a plain sum does not.
    reduction = None if gpus else tf.distribute.ReductionToOneDevice()
    return tf.distribute.MirroredStrategy(devices, cross_device_ops=reduction)
