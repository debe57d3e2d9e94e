"""What `verbose` prints: aligned lines, or a progress bar."""

import sys

import numpy as np
import pytest
from networks import classic
from sklearn.datasets import load_wine

from skmlp import MLPSoftmaxClassifier
from skmlp.fitting.progress import open_progress

X, Y = load_wine(return_X_y=True)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def fit(verbose, **params):
    params = {"max_iter": 12, "n_estimators": 1, "random_state": 0} | params
    return MLPSoftmaxClassifier(verbose=verbose, **params).fit(X, Y)


def test_lines_are_aligned_and_say_what_the_history_says(capsys):
    model = fit(True)
    heading, *lines = capsys.readouterr().out.splitlines()
    columns = ["epoch", "loss", "validation score", "learning rate", "seconds"]
    ends = [heading.index(column) + len(column) for column in columns]
    assert ends[-1] == len(heading)
    assert len(lines) == model.n_iter_
    for epoch, line in enumerate(lines):
        assert len(line) == len(heading)
        starts = [0, *ends]
        cells = [float(line[a:b]) for a, b in zip(starts, ends, strict=False)]
        assert cells[0] == epoch + 1
        assert cells[1] == pytest.approx(model.loss_curve_[epoch], abs=1e-5)
        assert cells[2] == pytest.approx(model.validation_scores_[epoch], abs=1e-5)
        rate = model.history_["learning_rate"][epoch]
        assert cells[3] == pytest.approx(rate, rel=1e-2)
        assert cells[4] >= 0
    assert np.all(np.diff([float(line[ends[-2] :]) for line in lines]) >= 0)


def test_lbfgs_shows_no_learning_rate(capsys):
    fit(True, solver="lbfgs", max_iter=3)
    heading, *lines = capsys.readouterr().out.splitlines()
    assert "validation" not in heading
    assert [line.split()[2] for line in lines] == ["-"] * 3


def test_partial_fit_counts_on_under_one_heading(capsys):
    model = classic(verbose=1)
    for _ in range(3):
        model.partial_fit(X, Y, classes=[0, 1, 2])
    _, *lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2", "3"]


def test_nothing_is_said_without_it(capfd):
    fit(False)
    fit(0)
    assert capfd.readouterr() == ("", "")


def test_tqdm_shows_a_bar(capsys):
    pytest.importorskip("tqdm")
    fit(2)
    out, err = capsys.readouterr()
    assert "12/12" in err
    assert "validation -" in err
    assert out == ""


def test_lines_are_shown_where_tqdm_is_missing(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    fit(2)
    assert len(capsys.readouterr().out.splitlines()) == 13
    with open_progress(2, epochs_before=7, n_epochs=1) as (lines,):
        assert lines.epochs_before == 7


@pytest.mark.parametrize("verbose", [False, True, 0, 1, 2, 10])
def test_each_level_gives_a_list_of_observers(verbose):
    with open_progress(verbose, epochs_before=0, n_epochs=3) as observers:
        assert len(observers) == bool(verbose)
