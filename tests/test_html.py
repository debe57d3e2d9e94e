"""The notebook's view of an estimator: scikit-learn's diagram, then the network."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
import sklearn
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr

from skmlp import Activation, MLPSoftmaxClassifier
from skmlp.nn.activations import ReLU

X, Y = load_iris(return_X_y=True)
VOID = {"br", "input", "meta", "link", "img"}


class Balance(HTMLParser):
    """Collects text and table cells, and checks that each tag is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.cells, self.tags = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        if tag in {"td", "th"}:
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in {"td", "th"}:
            self.cells[-1] += data


def fit(**params):
    model = MLPSoftmaxClassifier((8,), n_estimators=1, max_iter=3, random_state=0)
    return model.set_params(**params).fit(X, Y)


def block(html):
    """What is added to scikit-learn's diagram."""
    start = html.index("<details><summary>Network</summary>")
    assert "</script>" not in html[start:]
    return html[start:]


def parse(html):
    parser = Balance()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return parser


def without_ids(html):
    """scikit-learn counts the diagrams that it has drawn."""
    return re.sub(r"sk-(container|estimator)-id-\d+", "", html)


def test_an_unfitted_estimator_looks_as_in_scikit_learn():
    model = MLPSoftmaxClassifier()
    assert without_ids(model._repr_html_()) == without_ids(estimator_html_repr(model))


def test_a_fitted_estimator_shows_its_network_below_the_diagram():
    model = fit(n_estimators=2, numeric_embedding="periodic")
    html = model._repr_html_()
    added = block(html)
    diagram = html.removesuffix(added)
    assert without_ids(diagram) == without_ids(estimator_html_repr(model))
    cells = parse(added).cells
    assert cells[:4] == ["layer", "activation", "shape", "parameters"]
    rows = [cells[start : start + 4] for start in range(4, len(cells), 4)]
    assert [row[0] for row in rows] == [
        "inputs",
        "periodic embedding",
        "hidden layer 1",
        "outputs",
    ]
    assert rows[2][1:3] == ["ReLU", "16 \N{MULTIPLICATION SIGN} 8"]
    counts = [int(row[3].replace(",", "")) for row in rows]
    assert sum(counts) == model.n_parameters_
    assert f"networks: 2 of {model.n_parameters_:,} parameters each" in added


def test_says_how_well_training_went():
    model = fit()
    added = block(model._repr_html_())
    assert f"weights of: epoch {model.best_iter_} of 3<" in added
    assert f"best validation score: {model.best_validation_score_:.4g}<" in added
    assert "scored by: neg_log_loss<" in added


def test_without_held_out_rows_it_says_the_loss():
    with pytest.warns(sklearn.exceptions.ConvergenceWarning):
        model = fit(early_stopping=False, learning_rate="constant")
    added = block(model._repr_html_())
    assert "weights of: epoch 3 of 3<" in added
    assert f"training loss: {model.loss_:.4g}<" in added
    assert "validation" not in added


def test_says_from_which_epochs_the_weights_of_several_networks_are():
    model = fit(n_estimators=4)
    model.best_iter_ = np.array([2, 3, 1, 3])
    assert "weights of: epochs 1 to 3 of 3<" in block(model._repr_html_())
    model.best_iter_ = np.array([2, 2, 2, 2])
    assert "weights of: epoch 2 of 3<" in block(model._repr_html_())


def test_a_scorer_of_ones_own_goes_without_a_name():
    model = fit(scoring=lambda estimator, X, y: estimator.score(X, y))
    assert "scored by" not in block(model._repr_html_())


def test_everything_is_escaped():
    model = fit(activation=type("<b>Bold & co</b>", (ReLU, Activation), {}))
    added = block(model._repr_html_())
    assert "&lt;b&gt;Bold &amp; co&lt;/b&gt;" in added
    parser = parse(added)
    assert "b" not in parser.tags
    assert "<b>Bold & co</b>" in parser.cells


def test_names_no_colour_so_that_dark_notebooks_can_be_read():
    added = block(fit()._repr_html_())
    colours = re.findall(r"(?<![\w-])(?:color|background)[\w-]*:", added)
    assert colours == []
    assert "currentColor" in added


def test_a_pipeline_has_only_the_diagram_of_scikit_learn():
    model = make_pipeline(StandardScaler(), fit()).fit(X, Y)
    html = model._repr_html_()
    assert "MLPSoftmaxClassifier" in html
    assert "<summary>Network</summary>" not in html


def test_the_bundle_of_notebooks_has_text_and_network():
    model = fit()
    bundle = model._repr_mimebundle_()
    assert bundle["text/plain"] == repr(model)
    assert parse(block(bundle["text/html"])).cells[4] == "inputs"
    with sklearn.config_context(display="text"):
        assert "text/html" not in model._repr_mimebundle_()


def test_looking_changes_nothing():
    model = fit()
    before = model.parameters_.copy(), set(vars(model))
    model._repr_html_()
    np.testing.assert_array_equal(model.parameters_, before[0])
    assert set(vars(model)) == before[1]
