"""tf.distribute strategies by name, and each host's part in them."""

import contextlib
import dataclasses
import errno
import json
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from keras_mlp.errors import first_line
from keras_mlp.typing import Tensor
from training.config import Runtime
from training.engine.interruption import LostWorker


def build_strategy(runtime: Runtime) -> tf.distribute.Strategy:
    """Builds the strategy that a config names, before any other use of TensorFlow in the process.

    Args:
        runtime: a `training.config.Runtime`.

    Returns:
        A `tf.distribute.Strategy`.

    Raises:
        ValueError: the environment does not describe a cluster, or the TPU does not exist.
    """
    if runtime.virtual_cpus:
        (cpu,) = tf.config.list_physical_devices("CPU")
        devices = [tf.config.LogicalDeviceConfiguration()] * runtime.virtual_cpus
        tf.config.set_logical_device_configuration(cpu, devices)
    if runtime.strategy == "multi_worker_mirrored":
        return _multi_worker_strategy()
    if runtime.strategy == "tpu":
        return _tpu_strategy(runtime.tpu)
    gpus = [device.name for device in tf.config.list_logical_devices("GPU")]
    devices = gpus or [device.name for device in tf.config.list_logical_devices("CPU")]
    if runtime.strategy == "one_device":
        return tf.distribute.OneDeviceStrategy(devices[0])
    if os.environ.get("TF_CONFIG"):  # MirroredStrategy reads it, to ignore what it says
        parsed_tf_config(os.environ["TF_CONFIG"])
    # On virtual CPUs the collective reduction of the default fails; a plain sum does not.
    reduction = None if gpus else tf.distribute.ReductionToOneDevice(accumulation_fn=_plain_sum)
    return tf.distribute.MirroredStrategy(devices, cross_device_ops=reduction)


def _plain_sum(tensors: list[tf.Tensor]) -> tf.Tensor:
    """The sum over the replicas of `all_reduce`, which gives it a gradient of its own.

    To find the variables of that gradient, TensorFlow walks back from the sum through every op that
    has one. It stops at what this replica summed, but not at what the others did: without
    `stop_gradient` each of the sums of a step walks through the graph of all replicas, in a time
    that grows with the square of its size.
    """
    return tf.add_n([tf.stop_gradient(tensor) for tensor in tensors])


def _cluster() -> Any:
    """The cluster resolver that the environment describes."""
    if os.environ.get("TF_CONFIG"):
        check_tf_config(os.environ["TF_CONFIG"])
        return tf.distribute.cluster_resolver.TFConfigClusterResolver()
    if "SLURM_PROCID" in os.environ:
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver
        # Outside `srun` some of its variables are missing.
        with _explained("The variables that Slurm sets", "Start the program by `srun`"):
            slurm = resolver()
            slurm.cluster_spec()
            return slurm
    raise ValueError(
        '`runtime.strategy="multi_worker_mirrored"` needs the variable TF_CONFIG, or those that '
        "Slurm's srun sets; `python -m training.launch` starts workers on this machine."
    )


def _multi_worker_strategy() -> tf.distribute.Strategy:
    resolver = _cluster()
    _check_port_is_free(resolver)
    with _explained("TF_CONFIG or Slurm", "Check that this host has its address and a free port"):
        return tf.distribute.MultiWorkerMirroredStrategy(resolver)


def _check_port_is_free(resolver: Any) -> None:
    """Raises LostWorker if another program has this worker's port.

    `training.launch` then starts all workers again, on other ports.
    """
    address = resolver.cluster_spec().task_address(resolver.task_type, resolver.task_id)
    port = int(address.rpartition(":")[2])
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server that ended is none
        try:
            probe.bind(("", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise LostWorker(
                    f"Port {port} of this host is in use, and this worker is to listen there: end "
                    "the other program, or give the worker another port in TF_CONFIG."
                ) from None


@contextlib.contextmanager
def _explained(source: str, way_out: str) -> Iterator[None]:
    """Turns what TensorFlow raises into a ValueError that says where the cluster comes from."""
    try:
        yield
    except (RuntimeError, LookupError, OSError, tf.errors.OpError, ValueError) as error:
        raise ValueError(
            f"{source} describe no cluster that starts: {first_line(error).rstrip('.')}. {way_out}."
        ) from error


def parsed_tf_config(text: str) -> dict[str, Any]:
    """The JSON of a value of TF_CONFIG; raises ValueError if it is not an object."""
    try:
        config = json.loads(text)
    except ValueError as error:
        raise _wrong_tf_config(f"it is not JSON ({error})") from None
    if not isinstance(config, dict):
        raise _wrong_tf_config(f"it is {config!r}")
    return config


def check_tf_config(text: str) -> None:
    """Raises ValueError unless a value of TF_CONFIG describes a cluster and this process in it."""
    config = parsed_tf_config(text)
    try:
        hosts, task = config["cluster"], config["task"]
        kind, index = task["type"], int(task["index"])
        for name, addresses in hosts.items():
            if name not in ("chief", "worker"):
                raise ValueError(f'"cluster" has {name!r}; only "chief" and "worker" train')
            if not isinstance(addresses, list) or not all(
                isinstance(address, str) and ":" in address for address in addresses
            ):
                raise ValueError(f'{name!r} must be a list of "HOST:PORT", got {addresses!r}')
        count = len(hosts.get(kind, ()))
        if not 0 <= index < count:
            raise ValueError(
                f'"task" is {kind!r} {index}, but "cluster" has {count} of them, counted from 0'
            )
    except KeyError as error:
        raise _wrong_tf_config(f"it lacks {error}") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise _wrong_tf_config(first_line(error)) from None


def _wrong_tf_config(reason: str) -> ValueError:
    return ValueError(
        f"The environment variable TF_CONFIG is wrong: {reason}. It must be JSON like "
        '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": {"type": "worker", '
        '"index": 0}}, with an index of its own on every host. Unset it on one machine and where '
        "Slurm starts the workers; `python -m training.launch` starts workers on this machine."
    )


def _tpu_strategy(name: str) -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=name)
        if name != "local":
            tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        raise ValueError(f"`runtime.tpu`={name!r} gives no TPU: {first_line(error)}") from error
    return tf.distribute.TPUStrategy(resolver)


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes the results of the run; exactly one worker does."""
    if count_hosts(strategy) == 1:
        return True
    resolver = strategy.cluster_resolver
    if "chief" in resolver.cluster_spec().as_dict():
        return bool(resolver.task_type == "chief")
    return bool(resolver.task_id == 0)


def count_hosts(strategy: tf.distribute.Strategy) -> int:
    """Number of processes that train together, each on its own share of the data."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return 1
    tasks = strategy.cluster_resolver.cluster_spec().as_dict()
    return max(1, len(tasks.get("chief", ())) + len(tasks.get("worker", ())))


@dataclasses.dataclass(frozen=True)
class Share:
    """The part of every global batch that a host reads.

    Attributes:
        host: number of this host, from 0.
        hosts: number of hosts.
        replicas: number of replicas on all hosts; the global batch is divided among them.
    """

    host: int = 0
    hosts: int = 1
    replicas: int = 1


WHOLE = Share()


class OneStream:
    """Batches for the replicas of this host, which takes the next one for each of them.

    It is what TensorFlow's distributed dataset gives, without its buffer for every device. On CPUs
    that buffer brings nothing, and whoever drops its iterator waits for tf.data's tuner: a run on
    four virtual CPUs took three minutes to end.

    Args:
        strategy: whose replicas here are all on CPUs.
        batches: dataset of batches of one replica.
    """

    def __init__(self, strategy: tf.distribute.Strategy, batches: tf.data.Dataset) -> None:
        self.strategy = strategy
        self.batches = batches

    def __iter__(self) -> "_Batches":
        return _Batches(self.strategy, iter(self.batches))


class _Batches:
    def __init__(self, strategy: tf.distribute.Strategy, batches: Any) -> None:
        self.strategy = strategy
        self.batches = batches

    def __iter__(self) -> "_Batches":
        return self

    def __next__(self) -> Any:
        if len(self.strategy.extended.worker_devices) == 1:
            return self.batches.get_next()
        return self.strategy.experimental_distribute_values_from_function(
            lambda context: self.batches.get_next()
        )


def distribute(
    strategy: tf.distribute.Strategy, make: Callable[[Share], tf.data.Dataset]
) -> tf.distribute.DistributedDataset | OneStream:
    """Distributes a dataset over the replicas of a strategy.

    Args:
        strategy: a `tf.distribute.Strategy`.
        make: function from a `Share` to a dataset whose elements are batches of one replica.

    Returns:
        A dataset whose elements the strategy's `run` takes.
    """
    made = []

    def for_host(context: tf.distribute.InputContext) -> tf.data.Dataset:
        share = Share(
            context.input_pipeline_id, context.num_input_pipelines, context.num_replicas_in_sync
        )
        made.append(make(share))
        return made[-1]

    distributed = strategy.distribute_datasets_from_function(for_host)
    if isinstance(distributed, tf.data.Dataset):  # without a strategy
        return distributed
    devices = strategy.extended.worker_devices
    on_cpus = all(tf.DeviceSpec.from_string(name).device_type == "CPU" for name in devices)
    # Several hosts with several devices each: TensorFlow knows which replica is where.
    if on_cpus and (len(devices) == 1 or count_hosts(strategy) == 1):
        return OneStream(strategy, made[0])
    return distributed


def read(variable: Tensor) -> Any:
    """The value of a variable as numpy; a mirrored variable has no `numpy` method."""
    return tf.convert_to_tensor(variable).numpy()


def total(strategy: tf.distribute.Strategy, number: float) -> float:
    """The sum of every host's number over all hosts."""
    if count_hosts(strategy) == 1:
        return float(number)
    per_replica = strategy.run(tf.identity, args=(tf.constant(number, tf.float32),))
    replicas = float(strategy.reduce("SUM", per_replica, axis=None))
    return replicas * count_hosts(strategy) / strategy.num_replicas_in_sync
