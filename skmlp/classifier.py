"""MLPSoftmaxClassifier: its parameters, and fit as a table of contents."""

from __future__ import annotations

import datetime as dt
import math
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import get_scorer_names
from sklearn.utils import Tags, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skmlp._html import format_network
from skmlp._parameter_validation import HintsMixin
from skmlp._sklearn_compat import (
    CallbackSupportMixin,
    FitTask,
    HasMethods,
    Interval,
    Options,
    StrOptions,
    fit_context,
    with_callbacks,
)
from skmlp._utils import make_generator, restore_on_error
from skmlp.backend import get_cached_predictor, predict_in_parts
from skmlp.data.incremental import (
    PartialFitBatch,
    RowBuffer,
    read_batches,
    warn_if_not_final,
)
from skmlp.data.inputs import FittedInputs, encode_rows, make_encoder
from skmlp.data.parquet import DataSetLike, is_data_set
from skmlp.data.predictions import iterate_features, iterate_predictions, write_parquet
from skmlp.data.prepare import ValidationData, build_data, prepare
from skmlp.data.sources import (
    Source,
    open_source,
    read_data_set_labels,
    read_validation,
    resolve_columns,
)
from skmlp.data.targets import check_row_labels, compute_accuracy, read_targets
from skmlp.defaults import check_partial_fit_parameters, is_auto
from skmlp.fitting.config import TrainingRun, TrainResult
from skmlp.fitting.parameters import (
    ActivationLike,
    Parameters,
    Scoring,
    Transformer,
    resolve_parameters,
)
from skmlp.fitting.run import run_training, warn_about_training
from skmlp.fitting.solvers import SOLVERS, check_supports
from skmlp.fitting.start import (
    build_run,
    check_classes,
    open_checkpoint,
    resolve_config,
)
from skmlp.fitting.trainer import Trainer, select_members, stack_members
from skmlp.nn.activations import ACTIVATIONS, Activation
from skmlp.nn.network import Architecture
from skmlp.optim.optimizers import OptimizerState
from skmlp.optim.schedules import SCHEDULES
from skmlp.persistence import models
from skmlp.tabular.encoder import TableEncoder
from skmlp.tabular.frame import TableLike, as_table
from skmlp.training.monitor import PlateauTracker

# Constraints that several parameters share
AUTO = StrOptions({"auto"})
COUNT = Interval(Integral, 1, None, closed="left")
POSITIVE = Interval(Real, 0, None, closed="neither")
NON_NEGATIVE = Interval(Real, 0, None, closed="left")
BELOW_1 = Interval(Real, 0, 1, closed="left")


@models.loadable
class MLPSoftmaxClassifier(
    HintsMixin, CallbackSupportMixin, ClassifierMixin, BaseEstimator
):
    """Multilayer perceptrons with a softmax output, trained by backpropagation.

    By default it is a small ensemble, made for good probabilities on tables without
    tuning; with ``n_estimators=1`` it is one network, and with no hidden layer softmax
    (multinomial logistic) regression. It takes the place of
    :class:`sklearn.neural_network.MLPClassifier`: parameters of the same name mean the
    same, unless said otherwise below.

    "auto" depends on the size of the table, as the user guide says. With
    ``solver="lbfgs"`` it means scikit-learn's defaults.

    Parameters
    ----------
    hidden_layer_sizes : int, array-like of int or "auto", default="auto"
        Units per hidden layer; ``()`` for softmax regression.

    activation : str, Activation, or list of these, default="auto"
        Activation of the hidden units: one for all hidden layers, or a list with one
        per hidden layer. "auto" is "relu", or "gelu" where X has more than 50
        columns, whose numbers get no embedding. Other names are "identity", "prelu"
        (learns its slope, one per unit), "leaky_relu", "sigmoid" (also "logistic"),
        "tanh", "elu", "selu", "silu" and "softplus". Instances such as
        ``PReLU(init=0.1, shared=True)`` set what a name leaves open, and a subclass of
        :class:`skmlp.Activation` adds another. The initialization of the weights
        follows the activation (He, Glorot or LeCun).

    preprocessing : "auto", transformer or None, default="auto"
        Encoder of X. "auto" fits a :class:`TableEncoder`, which accepts raw tables:
        text, categories, dates, missing numbers, any scale. Another transformer is
        cloned and fitted; `partial_fit` uses one that is already fitted as it is. With
        None, X must be numeric, and is the input of the network.

    categorical_features : "from_dtype", array-like of {bool, int, str} or None, \
            default="from_dtype"
        Columns that are categories whatever their dtype: a mask, indices or names.
        Only with ``preprocessing="auto"``.

    encoder_rows : int or "auto", default="auto"
        Most rows that the encoder is fitted on if `fit` gets a data set, such as a
        path. A data set of no more rows is read as a whole, with the result of a table
        in memory. Of a larger one, this many rows are sampled, and all are encoded,
        part by part, into a temporary file. "auto" is a million, or fewer with more
        than 20 columns.

    numeric_embedding : "periodic", None or "auto", default="auto"
        Extra inputs per numeric feature: "periodic" adds three learned combinations of
        16 cosines of it, with learned frequencies [4]_. Helps when the effect of a
        feature is not monotonic. With sparse X, "auto" adds none and "periodic" is
        refused.

    dropout : float, array-like of float or "auto", default="auto"
        Dropout rate of the hidden units, for all hidden layers or per layer; in [0, 1).
        "auto" is 0.15, or 0 for some networks (see `diverse_members`). Not with
        ``solver="lbfgs"``.

    label_smoothing : float or "auto", default="auto"
        Part of each training target that is spread evenly over all classes; in [0, 1).
        "auto" is 0.01 or 0.02 where a `temperature` corrects for it, else 0.

    class_weight : dict, "balanced" or None, default=None
        Weight per class label, multiplied with `sample_weight`. "balanced" gives
        ``n_samples / (n_classes * np.bincount(y))``.

    solver : {"adam", "sgd", "lbfgs"}, default="adam"
        "adam" and "sgd" take a step per batch; "lbfgs" works on all rows at once. It
        computes in float64 whatever `dtype` says, since its line search can't work
        with less; the result is stored as `dtype`.

    alpha : float, default=0.0001
        Strength of the L2 penalty: the objective is
        ``(sum_i w_i loss_i + alpha / 2 * ||weights||^2) / sum_i w_i`` over the training
        rows, whatever `batch_size` is. (In scikit-learn the penalty grows as batches
        get smaller.) Weights of rows that are less than 1 on average are first raised
        to that. Biases and learned slopes are not penalized.

    weight_decay : float or "auto", default="auto"
        Decoupled weight decay: each step of "sgd" or "adam" also subtracts this part of
        the weights, times the learning rate [5]_. Biases and learned slopes do not
        decay. "auto" is 0.3, or 0 or 1 for some networks (see `diverse_members`).

    batch_size : int or "auto", default="auto"
        Rows per step. Not used by "lbfgs".

    learning_rate : {"auto", "constant", "invscaling", "adaptive", \
            "reduce_on_plateau", "cosine", "one_cycle"}, default="auto"
        Schedule of the learning rate of "sgd" and "adam". "auto" is
        "reduce_on_plateau" for many rows, else "constant". "invscaling" divides
        it by ``(t + 1) ** power_t``, t the rows seen before the epoch; "adaptive"
        divides it by 5 at each plateau and ends below 1e-6; "reduce_on_plateau" does so
        twice and ends at the third; "cosine" lets it fall to 0 over `max_iter` epochs;
        "one_cycle" lets it rise from 1/25 in the first 30% of them, then fall to almost
        0.

    learning_rate_init : float, default=0.003
        Initial learning rate, before the schedule.

    power_t : float, default=0.5
        Exponent of "invscaling".

    momentum : float, default=0.9
        Momentum of "sgd", in [0, 1].

    nesterovs_momentum : bool, default=True
        Whether to use Nesterov's momentum in "sgd".

    beta_1 : float, default=0.9
        Decay rate of the first-moment estimate of "adam", in [0, 1).

    beta_2 : float, default=0.95
        Decay rate of the second-moment estimate of "adam", in [0, 1).

    epsilon : float, default=1e-8
        Keeps the division in "adam" finite.

    max_fun : int, default=15000
        Most evaluations of the loss by "lbfgs".

    max_iter : int or "auto", default="auto"
        Most passes over the rows ("sgd", "adam") or iterations ("lbfgs").

    tol : float, default=1e-4
        An epoch counts as an improvement if it betters the training loss, or the
        validation score, by at least this. "lbfgs" ends when no component of the
        gradient is larger, or when its loss has all but stopped falling.

    n_iter_no_change : int, np.inf or "auto", default="auto"
        Training ends after more than this many epochs in a row without improvement.
        "lbfgs" does so only with held-out rows. "auto" depends on the number of rows
        and on `learning_rate`: for few rows it is 20, or 2 more than the epochs that
        led to the best one, if that is less; with a `learning_rate` that is given, 10,
        or np.inf for schedules over `max_iter` epochs.

    early_stopping : bool or "auto", default="auto"
        Whether to hold out a part of the rows, stratified for any number of classes,
        score it after each epoch, end when the score stops improving, and keep the
        weights of the best epoch. Without it, the training loss is watched and the last
        weights are kept. A class with too few rows to be split stays in training.
        "auto" is True, but for `partial_fit`.

    validation_fraction : float or "auto", default="auto"
        Part of the rows that `early_stopping` holds out, in (0, 1). In an ensemble,
        each network holds out other rows.

    scoring : str or callable, default="neg_log_loss"
        Score of the held-out rows: a name that :func:`sklearn.metrics.get_scorer`
        knows, or ``scorer(estimator, X, y)``, which also gets `sample_weight` if the
        rows have weights. The positive class of a scorer of scikit-learn is
        ``classes_[1]``, unless its own choice, mostly 1, is a label. One that can't
        score the held-out rows, or is for regression, is refused before training.
        (scikit-learn uses accuracy, which says little about probabilities.)

    n_estimators : int or "auto", default="auto"
        Networks whose probabilities are averaged. Each has its own initial weights,
        batches and held-out rows; `coefs_` and `intercepts_` get a first axis.
        `partial_fit` trains one network if it is "auto".

    diverse_members : bool, default=True
        Whether networks of an ensemble also differ in hyper-parameters: in the initial
        frequencies of `numeric_embedding` and, if "auto", in `dropout` and
        `weight_decay` [8]_.

    member_weights : "auto" or None, default="auto"
        Weights of the networks in the ensemble average. "auto" fits them to networks
        that differ (see `diverse_members`) by out-of-fold predictions of the held-out
        rows; None gives all the same.

    temperature : float, "auto" or None, default="auto"
        Divides the logits (for an ensemble: the logarithms of the mean probabilities)
        to calibrate the probabilities [7]_. "auto" fits it on held-out rows, if each is
        held out by 3 networks or more, or by all. None, and "auto" without such rows,
        is 1.

    shuffle : bool, default=True
        Whether to shuffle the rows in each epoch.

    warm_start : bool, default=False
        Whether `fit` starts from the weights of the previous call, and from the moments
        of "sgd" or "adam" (which scikit-learn resets). `n_iter_` and the curves are
        those of the last `fit`.

    dtype : {"float32", "float64"}, default="float32"
        Type of the weights and of all arithmetic. (scikit-learn follows X, which makes
        a network on a DataFrame float64, at half the speed.)

    random_state : int, RandomState instance or None, default=None
        Seed or generator for initial weights, held-out rows, batches and dropout. An
        int gives the same model each time on a machine, by the same backend (see
        `engine_`), whatever the number of threads.

    max_time : float or None, default=None
        Seconds after which `fit` ends training, within some batches, and keeps the best
        weights so far; None for no limit. Not used by `partial_fit`.

    checkpoint : str, path-like or None, default=None
        File to save the state of training to, from which an interrupted `fit` resumes
        with bit-identical results. In a folder (one that exists, or a name with a
        separator at its end) each combination of parameters and data has its own file,
        as :class:`~sklearn.model_selection.GridSearchCV` needs. A file is kept after
        training. One of other data, parameters, versions or another backend is refused.
        Not for ``solver="lbfgs"``; not used by `partial_fit`.

    checkpoint_every : int, str or timedelta, default=1
        Epochs from one save to the next, or the time: "30s", "10min".

    verbose : bool or int, default=False
        1 prints a line per epoch: its number, training loss, validation score,
        learning rate and seconds since the start. 2 or more shows a progress bar, if
        tqdm is installed.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X, where it has some that are all strings.
    encoder_ : transformer or None
        The fitted encoder of X; None with ``preprocessing=None``.
    encoder_is_settled_ : bool
        Whether `encoder_` is final; False while `partial_fit` buffers rows, to fit the
        encoder again once there are more.
    architecture_ : Architecture
        All that is needed to rebuild the network around `parameters_`.
    parameters_ : ndarray of shape (`n_parameters_`,) or (`n_estimators_`, \
            `n_parameters_`)
        All learned numbers, in one vector per network.
    n_estimators_ : int
        Number of networks.
    coefs_ : list of ndarray of shape (fan_in, fan_out) or (`n_estimators_`, fan_in, \
            fan_out)
        Weight matrices, first layer first; views of `parameters_`.
    intercepts_ : list of ndarray of shape (fan_out,) or (`n_estimators_`, fan_out)
        Bias vectors, first layer first; views of `parameters_`.
    n_layers_ : int
        Number of layers, with input and output.
    n_outputs_ : int
        Number of outputs: one per class, also for two classes.
    n_parameters_ : int
        Number of learned numbers of a network.
    out_activation_ : str
        Always "softmax".
    n_iter_ : int
        Epochs or iterations of the last `fit`; `partial_fit` adds one per call.
    t_ : int
        Training rows seen so far, each epoch counted.
    history_ : dict of str to list of float
        One entry per epoch: "loss", "learning_rate" and, with held-out rows,
        "validation_loss" and "validation_score"; means over the networks, of "loss"
        over those that are trained in the epoch.
    loss_curve_ : list of float
        Training loss per epoch, with penalty.
    loss_ : float
        Training loss of the last epoch, with penalty. This and the best values below
        are NaN if `fit` was interrupted in the first epoch.
    best_loss_ : float or None
        Lowest training loss of an epoch; None with held-out rows.
    validation_loss_curve_ : list of float or None
        Log-loss of the held-out rows per epoch; None without such rows.
    validation_scores_ : list of float or None
        Score of the held-out rows per epoch; None without such rows.
    best_validation_score_ : float or None
        Highest score of the held-out rows; None without such rows.
    temperature_ : float
        Divides the logits.
    member_weights_ : ndarray of shape (`n_estimators_`,)
        Weights of the networks in the ensemble average; they sum to 1.
    best_iter_ : int or ndarray of int of shape (`n_estimators_`,)
        The epoch that the weights of each network are from, counted from 1; 0 if
        training diverged before any epoch was good.
    engine_ : str
        Backend that has trained the networks: "numpy", or an instruction set of the
        compiled core, such as "avx2". Backends differ in the last digits.

    See Also
    --------
    sklearn.neural_network.MLPClassifier : Fewer abilities, float64 on DataFrames.
    sklearn.linear_model.LogisticRegression : Softmax regression by other solvers.

    References
    ----------
    .. [1] Rumelhart, Hinton and Williams, "Learning representations by
       back-propagating errors", Nature 323, 1986.
    .. [2] Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    .. [3] He et al., "Delving deep into rectifiers", ICCV 2015.
    .. [4] Gorishniy, Rubachev and Babenko, "On embeddings for numerical features in
       tabular deep learning", NeurIPS 2022.
    .. [5] Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019.
    .. [6] Holzmueller, Grinsztajn and Steinwart, "Better by default: strong pre-tuned
       MLPs and boosted trees on tabular data", NeurIPS 2024.
    .. [7] Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks",
       ICML 2017.
    .. [8] Wenzel, Snoek, Tran and Jenatton, "Hyperparameter ensembles for robustness
       and uncertainty quantification", NeurIPS 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.model_selection import train_test_split
    >>> from skmlp import MLPSoftmaxClassifier
    >>> X, y = load_wine(return_X_y=True, as_frame=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(
    ...     X, y, stratify=y, random_state=0
    ... )
    >>> model = MLPSoftmaxClassifier(random_state=0).fit(X_train, y_train)
    >>> model.predict_proba(X_test).shape
    (45, 3)
    >>> bool(model.score(X_test, y_test) > 0.9)
    True
    """

    _parameter_constraints: dict = {
        "hidden_layer_sizes": ["array-like", AUTO, COUNT],
        "activation": [
            StrOptions({"auto", *ACTIVATIONS}),
            Activation,
            type,
            list,
            tuple,
        ],
        "preprocessing": [AUTO, HasMethods("fit_transform"), None],
        "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
        "encoder_rows": [AUTO, COUNT],
        "numeric_embedding": [StrOptions({"auto", "periodic"}), None],
        "dropout": ["array-like", AUTO, BELOW_1],
        "label_smoothing": [BELOW_1, AUTO],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "solver": [StrOptions(set(SOLVERS))],
        "alpha": [NON_NEGATIVE],
        "weight_decay": [AUTO, NON_NEGATIVE],
        "batch_size": [AUTO, COUNT],
        "learning_rate": [StrOptions({"auto", *SCHEDULES})],
        "learning_rate_init": [POSITIVE],
        "power_t": [NON_NEGATIVE],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "beta_1": [BELOW_1],
        "beta_2": [BELOW_1],
        "epsilon": [POSITIVE],
        "max_fun": [COUNT],
        "max_iter": [AUTO, COUNT],
        "tol": [NON_NEGATIVE],
        "n_iter_no_change": [AUTO, COUNT, Options(Real, {np.inf})],
        "early_stopping": ["boolean", AUTO],
        "validation_fraction": [AUTO, Interval(Real, 0, 1, closed="neither")],
        "scoring": [StrOptions(set(get_scorer_names())), callable],
        "n_estimators": [AUTO, COUNT],
        "diverse_members": ["boolean"],
        "member_weights": [AUTO, None],
        "temperature": [AUTO, POSITIVE, None],
        "shuffle": ["boolean"],
        "warm_start": ["boolean"],
        "dtype": [StrOptions({"float32", "float64"})],
        "random_state": ["random_state"],
        "max_time": [POSITIVE, None],
        "checkpoint": [str, os.PathLike, None],
        "checkpoint_every": [COUNT, str, dt.timedelta],
        "verbose": ["verbose"],
    }

    _doc_link_module = "skmlp"
    _doc_link_template = (
        "https://github.com/skmlp/skmlp/blob/main/docs/user_guide.md#{estimator_name}"
    )

    classes_: np.ndarray
    encoder_: Transformer | None
    architecture_: Architecture
    parameters_: np.ndarray
    history_: dict[str, list[float]]
    best_iter_: int | np.ndarray
    temperature_: float
    member_weights_: np.ndarray
    engine_: str
    t_: int
    _optimizer_state: OptimizerState | None
    _plateau: PlateauTracker | None
    _row_buffer: RowBuffer | None = None

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] | Literal["auto"] = "auto",
        activation: ActivationLike | Sequence[ActivationLike] = "auto",
        *,
        preprocessing: Transformer | Literal["auto"] | None = "auto",
        categorical_features: ArrayLike | None = "from_dtype",
        encoder_rows: int | Literal["auto"] = "auto",
        numeric_embedding: Literal["auto", "periodic"] | None = "auto",
        dropout: float | Sequence[float] | Literal["auto"] = "auto",
        label_smoothing: float | Literal["auto"] = "auto",
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        solver: Literal["adam", "sgd", "lbfgs"] = "adam",
        alpha: float = 0.0001,
        weight_decay: float | Literal["auto"] = "auto",
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: Literal[
            "auto",
            "constant",
            "invscaling",
            "adaptive",
            "reduce_on_plateau",
            "cosine",
            "one_cycle",
        ] = "auto",
        learning_rate_init: float = 0.003,
        power_t: float = 0.5,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        beta_1: float = 0.9,
        beta_2: float = 0.95,
        epsilon: float = 1e-8,
        max_fun: int = 15000,
        max_iter: int | Literal["auto"] = "auto",
        tol: float = 1e-4,
        n_iter_no_change: float | Literal["auto"] = "auto",
        early_stopping: bool | Literal["auto"] = "auto",
        validation_fraction: float | Literal["auto"] = "auto",
        scoring: Scoring = "neg_log_loss",
        n_estimators: int | Literal["auto"] = "auto",
        diverse_members: bool = True,
        member_weights: Literal["auto"] | None = "auto",
        temperature: float | Literal["auto"] | None = "auto",
        shuffle: bool = True,
        warm_start: bool = False,
        dtype: Literal["float32", "float64"] = "float32",
        random_state: int | np.random.RandomState | None = None,
        max_time: float | None = None,
        checkpoint: str | os.PathLike | None = None,
        checkpoint_every: int | str | dt.timedelta = 1,
        verbose: bool | int = False,
    ) -> None:
        # as scikit-learn asks: each parameter under its name, unchanged
        parameters = locals().copy()
        del parameters["self"]
        self.__dict__.update(parameters)

    @restore_on_error
    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: TableLike | DataSetLike,
        y: ArrayLike | str,
        sample_weight: ArrayLike | str | None = None,
        *,
        X_val: TableLike | DataSetLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Train the network on the rows of X.

        If it fails, the estimator stays as it was.

        Parameters
        ----------
        X : {table, array-like, sparse matrix} of shape (n_samples, n_features) or \
                data set
            A pandas, polars or pyarrow table, an array, or a sparse matrix. Or rows
            that need not fit in memory: the path of a Parquet file or of a folder of
            such, a ``pyarrow.dataset.Dataset``, or a ``polars.LazyFrame``.
        y : array-like of shape (n_samples,) or str
            One label per row: numbers, strings or booleans. Or the name of the column
            of X that has them, as it must be for data sets.
        sample_weight : array-like of shape (n_samples,) or str, default=None
            Non-negative weight per row, or the name of the column of X that has them;
            None means 1. A row of weight 0 takes no part.
        X_val : {table, array-like, sparse matrix} of shape (n_val, n_features) or \
                data set, default=None
            Rows to score after each epoch, in place of a part of X, all of them in
            memory. Given these, training stops and chooses weights as with
            ``early_stopping=True``.
        y_val : array-like of shape (n_val,) or str, default=None
            Labels of `X_val`.
        sample_weight_val : array-like of shape (n_val,) or str, default=None
            Weights of the rows of `X_val`.

        Returns
        -------
        self : MLPSoftmaxClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If data or parameters don't fit together; the message says how.
        TypeError
            If rows, labels or weights are not there yet, as in a table of Dask; the
            message says how to get them.
        FileRefusedError
            If `checkpoint` is a file of another fit or version, or no checkpoint.
        OSError
            If there is no room for the file of encoded rows.
        """
        parameters = resolve_parameters(self)
        deadline = time.monotonic() + (parameters.max_time or math.inf)
        validation = ValidationData.of(
            *read_validation(X_val, y_val, sample_weight_val)
        )
        with self._open_source(parameters, X, y, sample_weight) as source:
            self._fit(parameters, source, validation, deadline)
        return self

    def _fit(
        self,
        parameters: Parameters,
        source: Source,
        validation: ValidationData,
        deadline: float,
    ) -> None:
        """Train on the rows of a source."""
        # the labels, and the settings with every "auto" resolved
        previous = self._get_result() if parameters.warm_start else None
        targets = source.read_targets(parameters)
        config = resolve_config(parameters, targets, source.n_columns, previous)
        config = source.limit_folds(config)
        rng = make_generator(parameters.random_state)
        checkpoint = None
        if parameters.checkpoint is not None:
            data_of_fit = {**source.fingerprint(), **validation.fingerprint()}
            checkpoint = open_checkpoint(
                parameters, self.get_params(), data_of_fit, previous, rng
            )
        # the table as a matrix of numbers, split into training and validation rows
        self.classes_ = targets.classes
        inputs = FittedInputs.of(self, is_fitted=previous is not None)
        data = prepare(source, validation, parameters, config, rng, inputs)
        if previous is not None:
            warn_if_not_final(self._row_buffer, inputs)
        inputs.store_on(self)
        self._row_buffer = None
        # the networks, with new weights or those of the previous fit
        run = replace(
            build_run(config, data, rng, previous),
            deadline=deadline,
            checkpoint=checkpoint,
            fit_task=self._begin_fit_task(config.max_iter, source),
        )
        result = self._train(parameters, run)
        # only a warm start needs the optimizer's moments again
        state = result.optimizer_state if parameters.warm_start else None
        self._store(replace(result, optimizer_state=state, plateau=None))
        if run.fit_task is not None:
            run.fit_task.end()

    @available_if(lambda self: self._supports_partial_fit())
    @restore_on_error
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: TableLike,
        y: ArrayLike | str,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | str | None = None,
    ) -> Self:
        """Train for one epoch on the rows of X, going on from the present weights.

        Not available with ``solver="lbfgs"``. If it fails, the estimator stays as it
        was.

        A :class:`TableEncoder` learns from the first 1000 rows, or up to 10000 if a
        column holds no two different values before. As long as it is not settled (see
        `encoder_is_settled_`), the estimator buffers all rows. Whenever their number
        has doubled, the encoder is fitted again, and a new network is trained for an
        epoch on the rows of each call so far, by the present parameters. One row is
        enough to begin.

        Parameters
        ----------
        X : {table, array-like, sparse matrix} of shape (n_samples, n_features)
            Some of the rows; columns keep names, order and kinds of the first call.
        y : array-like of shape (n_samples,) or str
            Their labels, or the name of the column that has them; not every class has
            to be there.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come. Needed in the first call only.
        sample_weight : array-like of shape (n_samples,) or str, default=None
            Non-negative weight per row, relative to the others in this call, or the
            name of the column that has them.

        Returns
        -------
        self : MLPSoftmaxClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If data or parameters don't fit together, among them
            ``early_stopping=True``, ``class_weight="balanced"`` and a `learning_rate`
            that is laid out over `max_iter` epochs.
        TypeError
            If rows, labels or weights are not there yet, as in a table of Dask, where
            the message says how to get them; or if X is sparse where it was dense
            before the encoder is settled, or the other way round.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp import MLPSoftmaxClassifier
        >>> X = np.random.default_rng(0).normal(size=(1000, 2))
        >>> y = X[:, 0] > X[:, 1]
        >>> model = MLPSoftmaxClassifier(random_state=0)
        >>> model = model.partial_fit(X[:1], y[:1], classes=[False, True])
        >>> model.encoder_is_settled_
        False
        >>> model.partial_fit(X[1:], y[1:]).encoder_is_settled_
        True
        """
        parameters = resolve_parameters(self)
        check_partial_fit_parameters(parameters)
        is_warm_start = self.__sklearn_is_fitted__()
        classes = check_classes(classes, self.classes_ if is_warm_start else None)
        X, y, sample_weight = resolve_columns(X, y, sample_weight)
        table = as_table(X)
        targets = read_targets(parameters, table, y, sample_weight, classes)
        self.classes_ = classes
        rng = make_generator(parameters.random_state)
        # the rows of this call, or of all buffered calls if the encoder is refitted
        inputs = FittedInputs.of(self, is_warm_start)
        self._row_buffer, batches = read_batches(
            inputs, self._row_buffer, parameters, table, targets, rng
        )
        inputs.store_on(self)
        for batch in batches:
            self._train_batch(parameters, batch, table.n_columns)
        return self

    def set_params(self, **params: object) -> Self:
        """Set parameters, also those of a transformer given as `preprocessing`.

        Parameters
        ----------
        **params : dict
            By name; ``preprocessing__max_categories`` is one of a
            :class:`TableEncoder`.

        Returns
        -------
        self : MLPSoftmaxClassifier
            The estimator itself.

        Raises
        ------
        ValueError
            If there is no such parameter.
        """
        encoder = params.get("preprocessing", self.preprocessing)
        nested = [name for name in params if name.startswith("preprocessing__")]
        if nested and (encoder is None or is_auto(encoder)):
            raise ValueError(
                f"{nested[0]} is a parameter of a transformer, and preprocessing is "
                f"{encoder!r}; pass preprocessing=TableEncoder() as well, which "
                'encodes as "auto" does.'
            )
        return super().set_params(**params)

    def predict_proba(self, X: TableLike | DataSetLike) -> Any:
        """Probability of each class for each row.

        Changes nothing in the estimator, so many threads can call it at once. The
        probabilities of a row do not depend on the other rows of `X`: bit for bit where
        the compiled core computes, and up to rounding in the last digits where NumPy
        does (for ``dtype="float64"``, sparse `X`, or an activation of your own, say).

        Parameters
        ----------
        X : {table, array-like, sparse matrix} of shape (n_samples, n_features) or \
                data set
            Rows with the columns that `fit` was given. A data set, such as a path, may
            have others as well.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`, in the type that `dtype` named. For a data set,
            an iterator over such arrays, for a piece of the rows each, in their order.
        """
        check_is_fitted(self)
        if is_data_set(X):
            return map(self.predict_proba, iterate_features(self, X))
        x = encode_rows(self, X, self.architecture_.dtype)
        network = get_cached_predictor(self, self.architecture_, self.parameters_, x)
        return predict_in_parts(network, x, self.temperature_, self.member_weights_)

    def predict_log_proba(self, X: TableLike | DataSetLike) -> Any:
        """Natural logarithm of `predict_proba`.

        Parameters
        ----------
        X : {table, array-like, sparse matrix} of shape (n_samples, n_features) or \
                data set
            As in `predict_proba`.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            -inf where a probability is 0 in its type. For a data set, an iterator over
            such arrays.
        """
        if is_data_set(X):
            return map(self.predict_log_proba, iterate_features(self, X))
        with np.errstate(all="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X: TableLike | DataSetLike) -> Any:
        """The most probable label of each row.

        Parameters
        ----------
        X : {table, array-like, sparse matrix} of shape (n_samples, n_features) or \
                data set
            As in `predict_proba`.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Members of `classes_`. For a data set, an iterator over such arrays.
        """
        if is_data_set(X):
            return map(self.predict, iterate_features(self, X))
        most_probable = self.predict_proba(X).argmax(axis=1)
        return self.classes_[most_probable]

    def score(
        self,
        X: TableLike | DataSetLike,
        y: ArrayLike | str,
        sample_weight: ArrayLike | str | None = None,
    ) -> float:
        """Accuracy of `predict` on given rows.

        Parameters
        ----------
        X : {table, array-like, sparse matrix} of shape (n_samples, n_features) or \
                data set
            As in `predict_proba`.
        y : array-like of shape (n_samples,) or str
            The right labels, or the name of the column of X that has them.
        sample_weight : array-like of shape (n_samples,) or str, default=None
            Weight per row, or the name of the column of X that has them.

        Returns
        -------
        score : float
            Part of the rows, by weight, whose label is predicted.
        """
        if is_data_set(X):
            labels, weight = read_data_set_labels(X, y, sample_weight)
            predicted = np.concatenate(list(self.predict(X)))
            return compute_accuracy(self.classes_, labels, predicted, weight)
        X, y, weight = resolve_columns(X, y, sample_weight)
        predicted = self.predict(X)  # first, since it says what is wrong with X
        labels = check_row_labels(X, y)
        return compute_accuracy(self.classes_, labels, predicted, weight)

    def predict_to_parquet(
        self, X: DataSetLike, path: str | os.PathLike, *, keep: Sequence[str] = ()
    ) -> None:
        """Write the predictions for a data set to a Parquet file, a row for a row.

        Only a piece of the rows is in memory at a time. Columns are those of `keep`,
        ``"predicted"`` and, for each class, ``"probability_"`` and its name.

        Parameters
        ----------
        X : path, pyarrow.dataset.Dataset or polars.LazyFrame
            Rows with the columns that `fit` was given, and maybe others.
        path : str or os.PathLike
            Where to. A file that is there already is replaced once the new one is
            complete.
        keep : sequence of str, default=()
            Columns of X that are written as well, such as a key.

        Raises
        ------
        ValueError
            If columns are missing, or X has no rows.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> import pandas as pd
        >>> from skmlp import MLPSoftmaxClassifier
        >>> table = pd.DataFrame({"key": range(40), "x": [0.0, 1.0] * 20})
        >>> model = MLPSoftmaxClassifier((), max_iter=5, random_state=0)
        >>> model = model.fit(table[["x"]], ["no", "yes"] * 20)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     new, predicted = Path(folder, "new"), Path(folder, "predicted")
        ...     table.to_parquet(new)
        ...     model.predict_to_parquet(new, predicted, keep=["key"])
        ...     pd.read_parquet(predicted).columns.tolist()
        ['key', 'predicted', 'probability_no', 'probability_yes']
        """
        check_is_fitted(self)
        write_parquet(path, iterate_predictions(self, X, keep))

    def save(self, path: str | os.PathLike) -> None:
        """Write the fitted classifier to a file that is safe to load.

        The file holds arrays and text, no code, and ends in a checksum. It has the
        whole fitted state, so that training can continue; `skmlp.load` reads it.
        Callbacks are left out.

        Parameters
        ----------
        path : str or os.PathLike
            Where to, as given. A file that is there already is replaced once the new
            one is complete.

        Raises
        ------
        NotFittedError
            If there is nothing to save yet.
        TypeError
            If the classifier holds what can't be saved without code: a callable as
            `scoring`, an activation or a transformer that is not from this package.
            The message names it. Use skops or pickle then.

        See Also
        --------
        skmlp.load : Reads such files.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> import skmlp
        >>> model = skmlp.MLPSoftmaxClassifier((), max_iter=5, preprocessing=None)
        >>> model = model.fit([[0.0], [1.0]] * 20, ["no", "yes"] * 20)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(Path(folder) / "model.skmlp")
        ...     skmlp.load(Path(folder) / "model.skmlp").classes_
        array(['no', 'yes'], dtype='<U3')
        """
        models.save(self, path)

    # Views of the fitted attributes

    @property
    def coefs_(self) -> list[np.ndarray]:
        """Weight matrices (fan_in, fan_out), first layer first: views of the vector."""
        return self.architecture_.get_dense_arrays(self.parameters_, "weight")

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """Bias vectors (fan_out,), first layer first: views of the vector."""
        return self.architecture_.get_dense_arrays(self.parameters_, "bias")

    @property
    def n_layers_(self) -> int:
        """Number of layers, with input and output."""
        return len(self.architecture_.hidden_layer_sizes) + 2

    @property
    def n_outputs_(self) -> int:
        """Number of outputs, one per class (also for two classes)."""
        return self.architecture_.n_classes

    @property
    def n_estimators_(self) -> int:
        """Number of networks."""
        return 1 if self.parameters_.ndim == 1 else len(self.parameters_)

    @property
    def n_parameters_(self) -> int:
        """Number of learned numbers of a network."""
        return self.architecture_.layout.size

    @property
    def out_activation_(self) -> str:
        """Activation of the output: always "softmax"."""
        check_is_fitted(self)
        return "softmax"

    @property
    def n_iter_(self) -> int:
        """Epochs or iterations of the last fit; partial_fit adds one per call."""
        return len(self.history_["loss"])

    @property
    def loss_curve_(self) -> list[float]:
        """Training loss per epoch, with penalty."""
        return self.history_["loss"]

    @property
    def loss_(self) -> float:
        """Training loss of the last epoch, with penalty; NaN if none has ended."""
        return self.history_["loss"][-1] if self.n_iter_ else math.nan

    @property
    def best_loss_(self) -> float | None:
        """Lowest training loss of an epoch; None where held-out rows decide."""
        if self.validation_scores_ is not None:
            return None
        return float(np.fmin.reduce(self.history_["loss"], initial=math.nan))

    @property
    def validation_loss_curve_(self) -> list[float] | None:
        """Log-loss of the held-out rows per epoch; None without such rows."""
        return self.history_.get("validation_loss")

    @property
    def validation_scores_(self) -> list[float] | None:
        """Score of the held-out rows per epoch; None without such rows."""
        return self.history_.get("validation_score")

    @property
    def best_validation_score_(self) -> float | None:
        """Highest score of the held-out rows; None without such rows."""
        scores = self.validation_scores_
        return (
            None if scores is None else float(np.fmax.reduce(scores, initial=math.nan))
        )

    @property
    def encoder_is_settled_(self) -> bool:
        """Return True if the encoder is final: `partial_fit` will not refit it."""
        check_is_fitted(self)
        return self._row_buffer is None

    def __sklearn_is_fitted__(self) -> bool:
        return "parameters_" in vars(self)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        encoder = make_encoder(self)
        if isinstance(encoder, TableEncoder):
            tags.input_tags = get_tags(encoder).input_tags
        else:
            # other transformers may accept NaN or text, which can't be known beforehand
            tags.input_tags.sparse = (
                encoder is None or get_tags(encoder).input_tags.sparse
            )
        return tags

    def _html_repr(self) -> str:
        """Return scikit-learn's diagram and, once fitted, the network below it."""
        diagram = super()._html_repr()
        return diagram + (format_network(self) if self.__sklearn_is_fitted__() else "")

    # Shared by fit and partial_fit

    def _open_source(
        self, parameters: Parameters, X: Any, y: Any, sample_weight: Any
    ) -> AbstractContextManager[Source]:
        """Open the source of the rows of a fit."""
        return open_source(parameters, X, y, sample_weight)

    def _begin_fit_task(self, n_epochs: int, source: Source) -> FitTask | None:
        """Tell scikit-learn's callbacks, if there are any, that a fit begins."""
        if not hasattr(self, "_skl_callbacks"):
            return None
        return FitTask(self, n_epochs, source.X, source.y, source.sample_weight)

    def _train(self, parameters: Parameters, run: TrainingRun) -> TrainResult:
        """Train the networks of a run, and warn if it ended badly."""
        result = run_training(run, self._build_trainer(parameters, run))
        is_scaled = self.encoder_ is not None
        warn_about_training(result, parameters, run.config.max_iter, is_scaled)
        return result

    def _build_trainer(self, parameters: Parameters, run: TrainingRun) -> Trainer:
        """Build the trainer that the parameter `solver` names."""
        solver = SOLVERS[parameters.solver]
        return solver.from_config(parameters, run.config, run.n_samples)

    def _train_batch(
        self, parameters: Parameters, batch: PartialFitBatch, n_columns: int
    ) -> None:
        """Train for one epoch on the rows of a call of `partial_fit`."""
        previous, targets = self._get_result(), batch.targets
        config = resolve_config(
            parameters, targets, n_columns, previous, in_parts=True
        )._replace(verbose=batch.verbose)
        samples = targets.samples.broadcast_members(config.n_estimators)
        samples = samples._replace(x=batch.x)
        data = build_data(self.encoder_, samples, None, targets)
        run = build_run(
            config,
            data,
            batch.rng,
            previous,
            in_parts=True,
            reinitialize=batch.reinitializes,
        )
        result = self._train(parameters, run)
        if previous is not None and not batch.reinitializes:
            result = result.continuing(previous)
        self._store(result)

    def _get_result(self) -> TrainResult | None:
        """Return the fitted attributes as a result to continue; None if unfitted."""
        if not self.__sklearn_is_fitted__():
            return None
        return TrainResult(
            self.classes_,
            self.architecture_,
            np.atleast_2d(self.parameters_),  # (n_members, n_parameters)
            self.history_,
            np.atleast_1d(self.best_iter_),
            self.member_weights_,
            self.temperature_,
            self.engine_,
            optimizer_state=self._optimizer_state
            and stack_members(self._optimizer_state),
            plateau=self._plateau,
            samples_seen=self.t_,
        )

    def _store(self, result: TrainResult) -> None:
        """Store the training result as fitted attributes."""
        for name, value in result.attributes().items():
            setattr(self, name, value)
        self._plateau, self.t_ = result.plateau, result.samples_seen
        self._optimizer_state = result.optimizer_state
        if self._optimizer_state is not None and self.n_estimators_ == 1:
            self._optimizer_state = select_members(self._optimizer_state, 0)

    def _supports_partial_fit(self) -> bool:
        """Return True, or raise if the solver does not support `partial_fit`."""
        # an invalid solver may be unhashable; parameter validation reports it in fit
        if self.solver in tuple(SOLVERS):
            check_supports(self.solver, "partial_fit", "partial_fit")
        return True
