"""A tf.data service decodes and augments: the same images, in an order that is not fixed."""

import collections
import dataclasses
import socket
import subprocess
import sys

import pytest
import tensorflow as tf

from tests.training import processes
from tests.training.data.pictures import write_folder
from training.config import Augment, Data, Model
from training.data.pipeline import load_splits, training_stream
from training.engine.tensorflow.strategies import Share

SHAPE = (12, 16, 3)
AUGMENT = Augment(crop=0.3, flip=True, cutout=4)


@pytest.fixture
def data(tmp_path):
    write_folder(tmp_path, "train", {"china": 11, "flower": 12})
    write_folder(tmp_path, "test", {"china": 3, "flower": 2}, seed=1)
    return Data(name="image_folder", data_dir=str(tmp_path), validation_percent=0, batch_size=6)


@pytest.fixture
def one_worker():
    """The address of a service in this process."""
    service = tf.data.experimental.service
    dispatcher = service.DispatchServer()
    address = dispatcher.target.split("://")[1]
    worker = service.WorkerServer(service.WorkerConfig(dispatcher_address=address))
    yield dispatcher.target
    del worker


@pytest.fixture(scope="module")
def two_workers():
    """The address of a service in another process."""
    line = [sys.executable, "-m", "tests.training.data.run_service"]
    with subprocess.Popen(
        line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process.stdout.readline().strip()
        process.kill()  # asked to end, it waits for tf.data's tuner, for minutes


def counted(split, steps, augment=AUGMENT, **options):
    """How often each (image, label) occurs in some steps."""
    options = {"batch_size": 6, "seed": 3, "start_step": 0, "augment": augment, **options}
    batches = training_stream(split, **options).take(steps).as_numpy_iterator()
    return collections.Counter(
        (image.tobytes(), int(label))
        for batch in batches
        for image, label in zip(*batch, strict=True)
    )


@pytest.mark.parametrize(
    ("start", "repeats", "shard"),
    [
        (0, 1, "examples"),
        (5, 4, "files"),
        *(
            pytest.param(*case, marks=pytest.mark.sweep)
            for case in (
                (0, 1, "files"),
                (5, 1, "examples"),
                (5, 1, "files"),
                (5, 4, "examples"),
            )
        ),
    ],
)
def test_two_hosts_see_what_they_would_see_without_a_service(
    data, one_worker, start, repeats, shard
):
    split = load_splits(dataclasses.replace(data, shard=shard), SHAPE).train
    augment = dataclasses.replace(AUGMENT, repeats=repeats)
    for host in range(2):
        options = {"start_step": start, "share": Share(host, 2, 2), "shard": shard}
        expected = counted(split, 23, augment, **options)
        assert expected.total() == 69
        assert counted(split, 23, augment, service=one_worker, **options) == expected


@pytest.mark.slow
def test_two_hosts_of_two_workers_see_nothing_twice_and_nothing_else(data, two_workers):
    split = load_splits(data, SHAPE).train
    served = collections.Counter()
    for host in range(2):
        served += counted(split, 46, start_step=5, share=Share(host, 2, 2), service=two_workers)
    assert served.total() == 12 * 23
    # Workers may be a few epochs ahead of others, and which ones differs between hosts.
    assert served <= counted(split, 4 * 46, start_step=5)


@pytest.fixture
def run(config, data, two_workers):
    """A config of four epochs on a service; one of its pictures is damaged."""
    file = tf.io.gfile.glob(f"{data.data_dir}/train/china/*.jpg")[0]
    with open(file, "r+b") as opened:
        opened.truncate(100)
    arguments = {"image_shape": (8, 8, 3), "num_layers": 1}
    return dataclasses.replace(
        config,
        epochs=4,
        model=Model(variant="pico/2", arguments=arguments),
        data=dataclasses.replace(data, service=two_workers, max_corrupt=1),
        augment=AUGMENT,
    ), file


@pytest.mark.sweep
def test_a_run_on_a_service_reaches_its_end_or_names_what_is_damaged(run, tmp_path):
    config, file = run
    # In a process of its own: one that holds a stream still keeps the service from ending.
    metrics = processes.metrics(processes.finish(config, tmp_path, "run"))
    assert metrics["steps"] == round(4 * 23 / 6) and metrics["test"]["examples"] == 5
    assert metrics["corrupt_pictures"] == 1
    config.data.max_corrupt = 0
    process, _ = processes.start(config, tmp_path, "refused")
    assert process.wait(300) == 1
    last = (tmp_path / "refused.log").read_text().splitlines()[-1]
    assert last.startswith("ValueError: 1 damaged picture(s), more than") and file in last


def test_an_address_that_does_not_answer_is_refused_at_once(data):
    split = load_splits(data, SHAPE).train
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nothing listens
        for address in (f"grpc://127.0.0.1:{closed.getsockname()[1]}", "grpc://127.0.0.1", "here"):
            with pytest.raises(ValueError, match=f"`data.service`='{address}' does not answer"):
                counted(split, 1, service=address)
