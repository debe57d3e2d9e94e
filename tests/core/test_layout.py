"""Parameters with padding are the parameters."""

import sys

import numpy as np
import pytest
from core_twins import build, start
from numpy.testing import assert_array_equal

from skmlp.core.layout import (
    PADDING,
    PaddedVectors,
    PredictionParameters,
    allocate_aligned,
    check_address,
    choose_stride,
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
    to_read = PredictionParameters(architecture, stack).arrays
    assert to_read.keys() == vectors.arrays.keys()
    for member in (0, 1):
        vectors.load(0, stack[member])
        for key, array in to_read.items():
            assert array.shape[-1] % PADDING == 0
            padded = vectors.arrays[key][0]
            # behind the units there is padding, of which nothing is expected
            layer, name = key
            shapes = architecture.layout.shapes
            units = {"weight": layer, "bias": layer, "slope": layer - 1}.get(name)
            n_columns = None if units is None else shapes[units, "weight"][1]
            places = (*map(slice, array.shape[1:-1]), slice(n_columns))
            assert_array_equal(array[member][places], padded[places])


def test_matrices_of_whole_vectors_are_not_copied():
    architecture = ARCHITECTURES["whole vectors"]
    vector = start(architecture)
    for (_, name), array in PredictionParameters(architecture, vector).arrays.items():
        assert name in ("weight", "bias", "slope")
        assert np.shares_memory(array, vector)


def test_waves_lie_number_by_number():
    architecture = ARCHITECTURES["embedding"]
    vector = start(architecture)
    views = architecture.layout.views(vector)
    waves = PredictionParameters(architecture, vector).arrays[0, "embedding"]
    assert waves.shape == (
        4,
        2 + PeriodicEmbedding.n_outputs,
        PeriodicEmbedding.n_frequencies,
    )
    assert_array_equal(waves[:, :2].swapaxes(1, 2), views[0, "frequency_phase"])
    assert_array_equal(waves[:, 2:].swapaxes(1, 2), views[0, "projection"])


def test_arrays_with_gaps_are_copied():
    architecture = ARCHITECTURES["whole vectors"]
    stack = np.asfortranarray(np.stack([start(architecture, seed) for seed in (0, 1)]))
    to_read = PredictionParameters(architecture, stack)
    stack *= 2
    to_read.renew()
    for key, expected in architecture.layout.views(stack).items():
        assert not np.shares_memory(to_read.arrays[key], stack)
        assert_array_equal(to_read.arrays[key], expected)


@pytest.mark.parametrize("shape", [(4, 6), (1, 4, 6), (3, 4, 6)])
def test_pointer_of_a_readable_array_is_its_address(shape):
    array = np.zeros(shape, np.float32)
    assert check_address("x", array, np.float32, (4, 6)) == array.ctypes.data


UNREADABLE = {
    "another type": np.zeros((4, 6)),
    "another byte order": np.zeros(
        (4, 6), ">f4" if sys.byteorder == "little" else "<f4"
    ),
    "integers": np.zeros((4, 6), np.int32),
    "a row less": np.zeros((3, 6), np.float32),
    "a row more": np.zeros((5, 6), np.float32),
    "an axis less": np.zeros(24, np.float32),
    "two axes more": np.zeros((1, 1, 4, 6), np.float32),
    "no member": np.zeros((0, 4, 6), np.float32),
    "column by column": np.zeros((4, 6), np.float32, order="F"),
    "every second number": np.zeros((4, 12), np.float32)[:, ::2],
    "one row for all": np.broadcast_to(np.zeros(6, np.float32), (4, 6)),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_pointer_of_an_unreadable_array_raises(name):
    with pytest.raises((ValueError, IndexError)):
        check_address("x", UNREADABLE[name], np.float32, (4, 6))


def test_pointer_of_a_misaligned_array_raises(shifted_by_a_byte):
    shifted = shifted_by_a_byte(np.zeros((4, 6), np.float32))
    with pytest.raises(ValueError, match="expected x of type float32 and shape"):
        check_address("x", shifted, np.float32, (4, 6))


@pytest.mark.parametrize("change", [lambda v: v[:-1], np.float64, np.atleast_2d])
def test_vectors_of_another_layout_raise(change):
    architecture = ARCHITECTURES["odd sizes"]
    vectors = PaddedVectors(architecture, 1)
    with pytest.raises(ValueError, match=r"expected a vector of \d+ float32 numbers"):
        vectors.load(0, change(start(architecture)))


@pytest.mark.parametrize(
    ("n_columns", "width"),
    [(1, 16), (16, 16), (17, 32), (240, 240), (250, 272), (512, 528)],
)
def test_rows_never_meet_in_one_set_of_the_cache(n_columns, width):
    assert choose_stride(n_columns) == width


def test_arrays_begin_with_a_cache_line():
    for size in (1, 5, 1000):
        assert allocate_aligned(size, 3).ctypes.data % 64 == 0
