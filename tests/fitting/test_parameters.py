"""The parameters that fitting reads are those that the constructor stores."""

from typing import get_type_hints

from skmlp import MLPSoftmaxClassifier
from skmlp.fitting.parameters import Parameters


def test_they_are_the_constructors_but_for_what_only_the_estimator_reads():
    of_constructor = get_type_hints(MLPSoftmaxClassifier.__init__)
    del of_constructor["return"], of_constructor["warm_start"]
    assert get_type_hints(Parameters) == of_constructor
