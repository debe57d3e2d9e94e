"""The ready-made spaces: every draw is one that fit accepts."""

import pytest
from sklearn.datasets import load_iris
from sklearn.model_selection import ParameterSampler, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmlp import MLPSoftmaxClassifier, search_spaces

SPACES = {"small": search_spaces.SMALL, "full": search_spaces.FULL}


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_every_draw_is_accepted(space):
    model = MLPSoftmaxClassifier()
    assert space.keys() <= model.get_params().keys()
    for params in ParameterSampler(space, 50, random_state=0):
        model.set_params(**params)
        model._validate_params()


def test_a_search_over_a_step_of_a_pipeline():
    X, y = load_iris(return_X_y=True)
    network = MLPSoftmaxClassifier(n_estimators=1, max_iter=3, random_state=0)
    search = RandomizedSearchCV(
        make_pipeline(StandardScaler(), network),
        search_spaces.for_step(search_spaces.FULL, "mlpsoftmaxclassifier"),
        n_iter=3,
        cv=2,
        random_state=0,
    ).fit(X, y)
    assert len(search.best_params_) == len(search_spaces.FULL)
