"""One vector, and the named arrays that lie in it."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skmlp.nn.parameters import ParameterLayout

SHAPES = {
    (0, "weight"): (2, 3),
    (0, "bias"): (3,),
    (1, "slope"): (1,),
    (2, "weight"): (3, 4),
}


@pytest.fixture
def layout():
    return ParameterLayout(SHAPES)


def test_size_is_the_sum_of_the_arrays(layout):
    assert layout.size == 6 + 3 + 1 + 12
    assert ParameterLayout({}).size == 0


def test_arrays_lie_one_behind_another_row_by_row(layout):
    views = layout.views(np.arange(layout.size))
    assert {key: view.shape for key, view in views.items()} == SHAPES
    assert_array_equal(views[0, "weight"], [[0, 1, 2], [3, 4, 5]])
    laid_out = np.concatenate([view.ravel() for view in views.values()])
    assert_array_equal(laid_out, np.arange(layout.size))


def test_views_share_memory_with_the_vector(layout):
    vector = np.zeros(layout.size, np.float32)
    for view in layout.views(vector).values():
        assert view.dtype == np.float32
        view += 1
    assert_array_equal(vector, 1)
