"""The core says of rows what NumPy says."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from core_twins import build, start
from numpy.testing import assert_allclose, assert_array_equal

from skmlp.core.layout import PaddedVectors, PredictionParameters
from skmlp.core.library import _get_library
from skmlp.core.network import (
    BLOCK,
    CoreNetwork,
    CorePredictor,
    is_supported,
    make_samples,
)
from skmlp.nn.activations import ACTIVATIONS, PReLU, ReLU
from skmlp.nn.network import Architecture, Network

pytestmark = pytest.mark.skipif(_get_library() is None, reason="the core is not in use")


def rows(architecture, n_rows, scale=1.0):
    size = (n_rows, architecture.n_inputs)
    return np.random.default_rng(0).normal(scale=scale, size=size).astype(np.float32)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
def test_logits_with_each_activation(activation, scale):
    architecture = build(ACTIVATIONS[activation](), (20, 48))
    vector, x = start(architecture), rows(architecture, 100, scale)
    expected = Network(architecture, vector).logits(x)
    size = np.abs(expected).max()
    actual = CorePredictor(architecture, vector).logits(x)
    assert_allclose(actual, expected, atol=4e-6 * size, rtol=0)


@pytest.mark.parametrize("n_rows", [0, 1, 7, BLOCK, BLOCK + 1, 1000])
@pytest.mark.parametrize("n_periodic", [0, 4])
@pytest.mark.parametrize("n_members", [None, 1, 3])
def test_logits_of_stacks(n_rows, n_periodic, n_members):
    architecture = build(PReLU(shared=True), (17,), n_periodic=n_periodic)
    seeds = range(n_members or 1)
    vectors = np.stack([start(architecture, seed) for seed in seeds])
    if n_members is None:
        vectors = vectors[0]
    x = rows(architecture, n_rows)
    expected = Network(architecture, vectors).logits(x)
    actual = CorePredictor(architecture, vectors).logits(x)
    assert actual.shape == expected.shape
    assert actual.dtype == np.float32
    assert_allclose(actual, expected, atol=3e-6)


@pytest.mark.parametrize("hidden", [(), (16, 48), (256,)])
def test_a_row_is_the_same_wherever_it_stands(hidden):
    architecture = build(ReLU(), hidden, n_periodic=2)
    predictor, x = (
        CorePredictor(architecture, start(architecture)),
        rows(architecture, 77),
    )
    whole = predictor.logits(x)
    chosen = np.array([76, 3, 3, 40])
    assert_array_equal(predictor.logits(x, chosen), whole[chosen])
    assert_array_equal(predictor.logits(x[::-2]), whole[::-2])
    assert_array_equal(predictor.logits(np.asfortranarray(x)), whole)
    for row in (0, 5, 76):
        assert_array_equal(predictor.logits(x[[row]])[0], whole[row])


def test_waves_of_large_numbers():
    """The angle is rounded as any number is; its cosine is that of the angle."""
    architecture = build(ReLU(), (), n_inputs=1, n_classes=2, n_periodic=1)
    vector = start(architecture)
    views = architecture.layout.views(vector)
    views[1, "weight"][0] = 0  # of the number itself
    for scale in (1.0, 100.0, 1e4, 1e8, 1e30):
        x = rows(architecture, 200, scale)
        actual = CorePredictor(architecture, vector).logits(x)
        assert np.isfinite(actual).all()
        if scale <= 100:
            expected = Network(architecture, vector).logits(x)
            assert_allclose(actual, expected, atol=3e-6 * max(scale, 3) * 5)
        else:
            assert np.abs(actual).max() < 30


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_run_away_show(activation, bad):
    """Nothing hides them: training ends by them, and no probability comes of them."""
    architecture = build(ACTIVATIONS[activation]())
    for layer in (0, 2, 4):
        vector = start(architecture)
        architecture.layout.views(vector)[layer, "bias"][0] = bad
        with np.errstate(all="ignore"):
            expected = Network(architecture, vector).logits(rows(architecture, 3))
        actual = CorePredictor(architecture, vector).logits(rows(architecture, 3))
        assert_array_equal(np.isnan(actual), np.isnan(expected))


class MyReLU(ReLU):
    """Not the one of the table, even if it does the same."""


def test_what_it_takes():
    assert is_supported(build(ReLU()))
    assert not is_supported(build(MyReLU()))
    double = Architecture(5, (4,), 3, (ReLU(),), (0.0,), "float64")
    assert not is_supported(double)


@pytest.mark.parametrize("bad", [[5], [-1]])
def test_refuses_rows_that_are_not_there(bad):
    architecture = build(ReLU())
    predictor = CorePredictor(architecture, start(architecture))
    with pytest.raises(ValueError, match=r"row indices in \[0, 4\]"):
        predictor.logits(rows(architecture, 5), np.array(bad))


def test_refuses_numbers_between_which_lie_parts_of_others():
    architecture = build(ReLU())
    predictor = CorePredictor(architecture, start(architecture))
    packed = np.zeros(4, np.dtype([("flag", "i1"), ("x", "f4", 5)]))["x"]
    with pytest.raises(ValueError, match=r"expected aligned rows"):
        predictor.logits(packed)
    shifted = np.zeros(
        4,
        np.dtype(
            {"names": ["x"], "formats": [("f4", 5)], "offsets": [1], "itemsize": 24}
        ),
    )["x"]
    with pytest.raises(ValueError, match=r"expected aligned rows"):
        predictor.logits(shifted)


@pytest.mark.parametrize("hidden", [(), (16, 5)])
def test_parameters_are_read_anew(hidden):
    architecture = build(PReLU(), hidden, n_periodic=2)
    vector, x = start(architecture), rows(architecture, 40)
    predictor = CorePredictor(architecture, vector)
    for seed, n_rows in [(1, 3), (2, 40), (3, 20)]:
        vector[:] = start(architecture, seed)
        fresh = CorePredictor(architecture, vector.copy())
        assert_array_equal(predictor.logits(x[:n_rows]), fresh.logits(x[:n_rows]))


def test_many_threads_read_at_once():
    architecture = build(ReLU(), (48, 48), n_periodic=5)
    predictor, x = (
        CorePredictor(architecture, start(architecture)),
        rows(architecture, 3000),
    )
    expected = predictor.logits(x)
    parts = [slice(i, i + 100) for i in range(0, 3000, 100)]
    with ThreadPoolExecutor(8) as pool:
        actual = list(pool.map(lambda part: predictor.logits(x[part]), parts * 5))
    assert_array_equal(np.concatenate(actual), np.tile(expected, (5, 1)))


@pytest.mark.parametrize("bad", [[0.0], [[0]], [True], ["0"], [None]])
def test_rows_that_are_no_numbers_of_rows_raise(bad):
    architecture = build(ReLU())
    predictor = CorePredictor(architecture, start(architecture))
    with pytest.raises(
        ValueError, match="expected row indices in a 1-D array of integers"
    ):
        predictor.logits(rows(architecture, 5), np.array(bad))


LAYOUTS = {
    "columns first": np.asfortranarray,
    "every second number": lambda vectors: np.repeat(vectors, 2, axis=-1)[:, ::2],
    "last member first": lambda vectors: vectors[::-1].copy()[::-1],
    "another byte order": lambda vectors: vectors.astype(">f4"),
    "double": np.float64,
}


@pytest.mark.parametrize("hidden", [(), (16, 48), (5,)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_parameters_in_any_layout_give_the_same_logits(layout, hidden):
    architecture = build(PReLU(), hidden, n_inputs=16, n_classes=16, n_periodic=2)
    vectors = np.stack([start(architecture, seed) for seed in range(3)])
    x = rows(architecture, 40)
    expected = CorePredictor(architecture, vectors).logits(x)
    actual = CorePredictor(architecture, LAYOUTS[layout](vectors)).logits(x)
    assert_array_equal(actual, expected)


def test_misaligned_parameters_give_the_same_logits(shifted_by_a_byte):
    architecture = build(ReLU(), (16,), n_inputs=16, n_classes=16)
    vector, x = start(architecture), rows(architecture, 40)
    predictor = CorePredictor(architecture, shifted_by_a_byte(vector))
    assert_array_equal(
        predictor.logits(x), CorePredictor(architecture, vector).logits(x)
    )


@pytest.mark.parametrize("change", [lambda v: v[:-1], lambda v: np.append(v, 0), len])
def test_parameters_of_another_network_raise(change):
    architecture = build(ReLU())
    with pytest.raises(ValueError, match=r"expected vectors of \d+ parameters"):
        CorePredictor(architecture, change(start(architecture)))


ARRAYS = build(PReLU(), (20, 7), n_periodic=2)


@pytest.mark.parametrize("learns", [True, False])
@pytest.mark.parametrize("key", PaddedVectors(ARRAYS, 1).arrays)
@pytest.mark.parametrize("change", [np.float64, lambda array: array[..., :-1, :]])
def test_network_with_other_arrays_raises(key, learns, change):
    stack = start(ARRAYS)[np.newaxis]
    vectors = (
        PaddedVectors(ARRAYS, 1) if learns else PredictionParameters(ARRAYS, stack)
    )
    arrays = dict(vectors.arrays)
    CoreNetwork(ARRAYS, arrays, 5, learns)
    arrays[key] = change(arrays[key]) if arrays[key].ndim > 2 else arrays[key][:, :-1]
    with pytest.raises(ValueError, match=r"expected (weight|bias|slope|embedding) of"):
        CoreNetwork(ARRAYS, arrays, 5, learns)


@pytest.mark.parametrize("name", ["indices", "y_encoded", "sample_weight"])
@pytest.mark.parametrize("change", [np.float16, np.int32, lambda array: array[:-1]])
def test_samples_with_other_arrays_raise(name, change):
    x, numbers = np.zeros((6, 5), np.float32), np.arange(6) % 3
    given = {
        "indices": numbers,
        "y_encoded": numbers,
        "sample_weight": np.ones(6, np.float32),
    }
    make_samples(x, **given)
    given[name] = change(given[name])
    with pytest.raises(
        ValueError, match=r"expected (row indices|class indices|sample weights) of type"
    ):
        make_samples(x, **given)


def test_parameters_of_another_type_are_converted():
    architecture = build(ReLU())
    vector, x = start(architecture), rows(architecture, 5)
    double = CorePredictor(architecture, vector.astype(np.float64)).logits(x)
    assert_array_equal(double, CorePredictor(architecture, vector).logits(x))
