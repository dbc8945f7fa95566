"""The RepMLP example: the paper's bottleneck, the whole program at toy size, and folding."""

import re

import keras
import numpy as np
import pytest

import keras_mlp
from examples.repmlp_resnet import digits, main, microseconds, repmlp_resnet
from keras_mlp.layers import RepMLP
from tests.contract import layers_of, predict, with_random_weights


@pytest.mark.sweep
def test_the_program_trains_folds_and_compares(capsys):
    main(["--epochs", "2"])
    lines = capsys.readouterr().out.splitlines()
    rows = {
        line.split()[0]: line.split()[1:] for line in lines if line.startswith(("train", "dep"))
    }
    assert rows.keys() == {"trained", "deployed"}
    for parameters, accuracy, time in rows.values():
        assert int(parameters.replace(",", "")) > 10_000
        assert 30 < float(accuracy.rstrip("%")) <= 100  # chance is 10%
        assert float(time) > 0
    assert rows["trained"][0] != rows["deployed"][0]
    difference = re.fullmatch(r"largest difference of logits: (\S+)", lines[-1])
    assert 0 < float(difference[1]) < 1e-4


def test_bad_arguments_end_before_any_work(capsys):
    with pytest.raises(SystemExit):
        main(["--epochs", "0"])
    assert "`epochs` must be at least 1, got 0." in capsys.readouterr().err


@pytest.mark.parametrize("shape", [(8, 8, 1), (16, 24, 3)])
def test_folds_whole_with_any_statistics(shape):
    model = with_random_weights(repmlp_resnet(shape, num_classes=5))
    copy = keras_mlp.deploy(model)
    norms = [each for each in layers_of(copy) if isinstance(each, keras.layers.BatchNormalization)]
    assert norms == []
    images = np.random.default_rng(0).uniform(0, 16, (4, *shape)).astype("float32")
    expected = predict(model, images)
    assert expected.shape == (4, 5)
    assert np.abs(expected[0] - expected[1]).max() > 1e-3
    scale = np.abs(expected).max()
    np.testing.assert_allclose(predict(copy, images) / scale, expected / scale, rtol=0, atol=1e-5)


def test_repmlp_sits_between_two_narrowing_convolutions():
    layers = repmlp_resnet().layers
    sees = []
    for at, layer in enumerate(layers):
        if isinstance(layer, RepMLP):
            before, after = layers[at - 3], layers[at + 2]
            assert before.kernel_size == after.kernel_size == (3, 3)
            # The convolutions narrow by r and widen again.
            r = after.filters // before.filters
            sees.append((layer.filters, r, layer.grid))
            assert layer.filters == before.filters
    assert sees == [(8, 2, (2, 2)), (8, 4, (1, 1))]


def test_the_digits_are_those_of_training():
    train_images, test_images, train_labels, test_labels = digits()
    assert train_images.shape == (1437, 8, 8, 1) and test_images.shape == (360, 8, 8, 1)
    assert train_images.min() == 0 and train_images.max() == 16
    assert np.bincount(test_labels).min() >= 34 and len(train_labels) == 1437


def test_models_are_timed_in_turn():
    order = []

    class Counted:
        def __init__(self, name):
            self.predict_on_batch = lambda images: order.append(name)

    times = microseconds([Counted("a"), Counted("b")], np.zeros(4), rounds=2)
    assert order == list("ababab") and len(times) == 2 and min(times) > 0
