"""Samples and batches: every row once, with its own label and weight."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skmlp.training.batches import Batches, DiskBatches, Samples, make_batches

N_SAMPLES = 11
NUMBERS = np.arange(N_SAMPLES)


def numbered(convert=np.asarray, weighted=True):
    """Samples whose code, weight and first input all tell the number of the row."""
    x = np.column_stack([NUMBERS, NUMBERS % 3, np.zeros(N_SAMPLES)])
    weight = NUMBERS / 10 if weighted else None
    return Samples(convert(x.astype(np.float32)), NUMBERS, weight)


def contents(batches):
    """Copies of the batches, dense, since buffers are reused."""
    return [
        (x.toarray() if sparse.issparse(x) else x.copy(), y_encoded.copy(), weight)
        for x, y_encoded, weight, _ in batches
    ]


def orders(batches):
    return [y_encoded.tolist() for _, y_encoded, _ in contents(batches)]


CONVERSIONS = pytest.mark.parametrize(
    "convert", [np.asarray, sparse.csr_matrix, sparse.csr_array]
)
PARTS = pytest.mark.parametrize(
    "part", [None, np.array([8, 1, 5, 3])], ids=["all rows", "a part"]
)


@CONVERSIONS
@PARTS
@pytest.mark.parametrize("batch_size", [1, 3, 4, 11, 50])
@pytest.mark.parametrize("shuffle", [False, True])
def test_every_row_comes_once_with_its_label_and_weight(
    convert, part, batch_size, shuffle
):
    samples = numbered(convert)
    if part is not None:
        samples = samples.take(part)
    rngs = [np.random.default_rng(0)] if shuffle else None
    batches = Batches(samples, batch_size, rngs)
    expected = NUMBERS if part is None else part
    for _ in range(2):
        pieces = contents(batches)
        assert len(pieces) == len(batches)
        assert all(len(y_encoded) == batch_size for _, y_encoded, _ in pieces[:-1])
        x, y_encoded, weight = (np.concatenate(c) for c in zip(*pieces, strict=True))
        order = np.sort(y_encoded) if shuffle else y_encoded
        assert_array_equal(order, np.sort(expected) if shuffle else expected)
        assert_array_equal(x[:, 0], y_encoded)
        assert_array_equal(x[:, 1], y_encoded % 3)
        assert_array_equal(weight, y_encoded / 10)
        assert x.dtype == np.float32


def test_each_epoch_has_an_order_of_its_own_that_the_seed_repeats():
    batches = Batches(numbered(), 4, [np.random.default_rng(0)])
    first, second = orders(batches), orders(batches)
    assert first != second
    again = Batches(numbered(), 4, [np.random.default_rng(0)])
    assert [orders(again), orders(again)] == [first, second]
    assert orders(Batches(numbered(), 4, [np.random.default_rng(1)])) != first


def test_an_order_can_be_drawn_before_its_batches():
    batches = Batches(numbered(), 4, [np.random.default_rng(0)])
    order = batches.draw_order()
    (rng,) = batches.rngs
    state = rng.bit_generator.state
    pieces = [
        y_encoded.tolist() for _, y_encoded, *_ in batches.iterate_in_order(order)
    ]
    assert_array_equal(np.concatenate(pieces), order)
    assert pieces == orders(Batches(numbered(), 4, [np.random.default_rng(0)]))
    assert rng.bit_generator.state == state


def test_sparse_and_dense_rows_come_in_the_same_order():
    dense, csr = (
        Batches(numbered(convert), 4, [np.random.default_rng(0)])
        for convert in (np.asarray, sparse.csr_array)
    )
    assert orders(dense) == orders(csr)


@PARTS
@CONVERSIONS
def test_rows_without_weight_stay_without(part, convert):
    samples = numbered(convert, weighted=False)
    if part is not None:
        samples = samples.take(part)
    weights = [weight for *_, weight in contents(Batches(samples, 2, None))]
    assert set(weights) == {None}


def test_shuffled_rows_are_gathered_into_one_buffer():
    batches = Batches(numbered(), 4, [np.random.default_rng(0)])
    first, *others = [x for x, *_ in batches]
    assert all(np.shares_memory(first, x) for x in others)
    assert not np.shares_memory(first, batches.samples.x)


def test_rows_in_order_are_not_copied():
    batches = Batches(numbered(), 4, None)
    assert all(np.shares_memory(x, batches.samples.x) for x, *_ in batches)


@pytest.mark.parametrize("shuffle", [False, True])
def test_the_samples_are_never_written(shuffle):
    samples, untouched = numbered(), numbered()
    contents(Batches(samples, 4, [np.random.default_rng(0)] if shuffle else None))
    for given, expected in zip(samples[:3], untouched[:3], strict=True):
        assert_array_equal(given, expected)


@CONVERSIONS
def test_a_part_of_a_part_shares_the_table(convert):
    samples = numbered(convert)
    part = samples.take(np.array([9, 4, 7, 2])).take(np.array([3, 0]))
    assert part.x is samples.x
    inputs = part.gather_inputs()
    if sparse.issparse(inputs):
        inputs = inputs.toarray()
    assert_array_equal(inputs[:, 0], [2, 9])
    assert_array_equal(part.y_encoded, [2, 9])
    assert_array_equal(part.sample_weight, [0.2, 0.9])


@PARTS
@pytest.mark.parametrize("n_networks", [None, 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_parts_of_an_epoch_are_its_batches(part, n_networks, weighted):
    samples = numbered(weighted=weighted)
    if part is not None:
        samples = samples.take(part)
    if n_networks is not None:
        samples = samples.broadcast_members(n_networks)

    def batches():
        rngs = [np.random.default_rng(seed) for seed in range(n_networks or 1)]
        return Batches(samples, 2, rngs)

    whole, cuts = contents(batches()), [0, 1, 1, len(batches())]
    pieces = [batches().draw_batches(range(*cut)) for cut in pairwise(cuts)]
    assert [len(piece) for piece in pieces] == [1, 0, len(whole) - 1]
    again = [batch for piece in pieces for batch in contents(piece)]
    for one, other in zip(whole, again, strict=True):
        for expected, found in zip(one, other, strict=True):
            assert_array_equal(found, expected)
    assert all(piece.samples.x is samples.x for piece in pieces)


def test_the_inputs_of_all_samples_are_the_table_itself():
    samples = numbered()
    assert samples.gather_inputs() is samples.x


def test_total_weight_counts_rows_that_have_none():
    assert numbered(weighted=False).total_weight() == N_SAMPLES
    assert numbered().total_weight() == pytest.approx(5.5)
    assert numbered().take(np.array([1, 4])).total_weight() == pytest.approx(0.5)


def test_total_weight_adds_small_numbers_in_double_precision():
    weight = np.full(1001, 1, np.float32)
    weight[0] = 1e8
    samples = Samples(np.zeros((1001, 1)), np.zeros(1001, int), weight)
    assert samples.total_weight() == 1e8 + 1000


def test_class_shares_are_parts_of_the_weight():
    y_encoded = np.array([0, 2, 2, 0])
    samples = Samples(np.zeros((4, 1)), y_encoded, np.array([1.0, 2.0, 3.0, 4.0]))
    assert_allclose(samples.class_priors(4), [0.5, 0, 0.5, 0])
    without = samples._replace(sample_weight=None).take(np.array([0, 1, 2]))
    assert_allclose(without.class_priors(3), [1 / 3, 0, 2 / 3])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_of_mean_one_keep_their_proportions(dtype):
    samples = numbered()
    scaled = samples.normalize_weights(dtype)
    assert scaled.sample_weight.dtype == dtype
    assert scaled.sample_weight.mean() == pytest.approx(1)
    assert_allclose(scaled.sample_weight, NUMBERS / NUMBERS.mean(), rtol=1e-6)
    assert_array_equal(samples.sample_weight, NUMBERS / 10)
    without = numbered(weighted=False)
    assert without.normalize_weights(dtype).sample_weight is None


class InBlocks:
    """Rows as a file gives them, from an array."""

    blocks_at_once = 3

    def __init__(self, x, block_size):
        self.x, self.block_size = x, block_size
        self.shape, self.dtype = x.shape, x.dtype
        self.n_read = 0

    def read(self, start, out):
        self.n_read += 1
        out[...] = self.x[start : start + len(out)]


def in_file(block_size=2, weighted=True):
    samples = numbered(weighted=weighted)
    return samples._replace(x=InBlocks(samples.x, block_size))


@pytest.mark.parametrize("block_size", [1, 2, 4, 11, 20])
@pytest.mark.parametrize("batch_size", [1, 3, 4, 50])
@pytest.mark.parametrize("shuffle", [False, True])
def test_every_row_of_a_file_comes_once(block_size, batch_size, shuffle):
    rngs = [np.random.default_rng(0)] if shuffle else None
    batches = make_batches(in_file(block_size), batch_size, rngs)
    assert isinstance(batches, DiskBatches)
    for _ in range(2):
        pieces = contents(batches)
        assert [len(y_encoded) for _, y_encoded, _ in pieces] == batches.batch_sizes()
        x, y_encoded, weight = (np.concatenate(c) for c in zip(*pieces, strict=True))
        assert_array_equal(np.sort(y_encoded) if shuffle else y_encoded, NUMBERS)
        assert_array_equal(x[:, 0], y_encoded)
        assert_allclose(weight, y_encoded / 10)


def test_a_file_of_one_block_comes_in_the_order_of_an_array():
    expected = orders(Batches(numbered(), 4, [np.random.default_rng(5)]))
    batches = make_batches(in_file(20), 4, [np.random.default_rng(5)])
    assert orders(batches) == expected


def test_blocks_come_in_another_order_each_time():
    batches = make_batches(in_file(), 50, [np.random.default_rng(0)])
    first, second = orders(batches), orders(batches)
    # six blocks, three at a time
    assert len(first) == 2
    assert {*first[0]} != {*second[0]}


def test_few_rows_of_a_file_are_in_memory():
    batches = make_batches(in_file(), 2, [np.random.default_rng(0)])
    for part in batches.iterate_chunks():
        assert len(part.samples.x) <= 6
    assert batches.file.n_read == 6
    assert batches.buffer.shape == (6, 3)


def test_each_network_of_a_stack_has_its_own_order_of_a_file():
    rngs = [np.random.default_rng(seed) for seed in (0, 1)]
    stack = in_file(20).broadcast_members(2)
    (y_encoded,) = (part.y_encoded for part in make_batches(stack, 50, rngs))
    assert_array_equal(np.sort(y_encoded), [NUMBERS, NUMBERS])
    assert (y_encoded[0] != y_encoded[1]).any()


def test_arrays_are_batches_of_one_part():
    batches = make_batches(numbered(), 4, None)
    assert isinstance(batches, Batches)
    assert list(batches.iterate_chunks()) == [batches]
