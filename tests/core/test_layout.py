"""Parameters with padding are the parameters."""

import numpy as np
import pytest
from core_twins import build, start
from numpy.testing import assert_array_equal

from skmlp.core.layout import (
    PADDING,
    PaddedVectors,
    ParametersToRead,
    aligned,
    n_units,
    width_of,
)
from skmlp.nn.activations import PReLU, ReLU
from skmlp.nn.layers import PeriodicEmbedding

ARCHITECTURES = {
    "regression": build(ReLU(), ()),
    "odd sizes": build(PReLU(), (33, 17)),
    "whole vectors": build(PReLU(), (48, 16), n_inputs=16, n_classes=16),
    "one slope": build(PReLU(shared=True), (5, 20)),
    "embedding": build(ReLU(), (7,), n_periodic=4),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_vectors_come_back_as_they_were(name):
    architecture = ARCHITECTURES[name]
    vectors = PaddedVectors(architecture, 3)
    for number in range(3):
        vectors.load(number, start(architecture, number))
    for number in range(3):
        back = np.full(architecture.layout.size, np.nan, np.float32)
        vectors.store(number, back)
        assert_array_equal(back, start(architecture, number))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_rows_of_arrays_are_whole_vectors(name):
    architecture = ARCHITECTURES[name]
    stack = np.stack([start(architecture, seed) for seed in (0, 1)])
    vectors = PaddedVectors(architecture, 1)
    to_read = ParametersToRead(architecture, stack).arrays
    assert to_read.keys() == vectors.arrays.keys()
    for member in (0, 1):
        vectors.load(0, stack[member])
        for key, array in to_read.items():
            assert array.shape[-1] % PADDING == 0
            padded = vectors.arrays[key][0]
            # behind the units there is padding, of which nothing is expected
            n_columns = n_units(architecture, key[0]) if key[1] != "waves" else None
            places = (*map(slice, array.shape[1:-1]), slice(n_columns))
            assert_array_equal(array[member][places], padded[places])


def test_matrices_of_whole_vectors_are_not_copied():
    architecture = ARCHITECTURES["whole vectors"]
    vector = start(architecture)
    for (_, name), array in ParametersToRead(architecture, vector).arrays.items():
        assert name in ("weight", "bias", "slope")
        assert np.shares_memory(array, vector)


def test_waves_lie_number_by_number():
    architecture = ARCHITECTURES["embedding"]
    vector = start(architecture)
    views = architecture.layout.views(vector)
    waves = ParametersToRead(architecture, vector).arrays[0, "waves"]
    assert waves.shape == (
        4,
        2 + PeriodicEmbedding.n_outputs,
        PeriodicEmbedding.n_waves,
    )
    assert_array_equal(waves[:, :2].swapaxes(1, 2), views[0, "wave"])
    assert_array_equal(waves[:, 2:].swapaxes(1, 2), views[0, "mix"])


@pytest.mark.parametrize(
    ("n_columns", "width"),
    [(1, 16), (16, 16), (17, 32), (240, 240), (250, 272), (512, 528)],
)
def test_rows_never_meet_in_one_set_of_the_cache(n_columns, width):
    assert width_of(n_columns) == width


def test_arrays_begin_with_a_cache_line():
    for size in (1, 5, 1000):
        assert aligned(size, 3).ctypes.data % 64 == 0
