"""DaskMLPSoftmaxClassifier: training on all workers of a Dask cluster."""

import inspect
import os
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager, contextmanager
from copy import copy
from dataclasses import replace
from numbers import Integral
from typing import Any, Self

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
from distributed import Client, KilledWorker
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skmlp._sklearn_compat import HasMethods, Interval, validate_parameters
from skmlp.classifier import MLPSoftmaxClassifier
from skmlp.dask.averaging import DaskExecutor
from skmlp.dask.cluster import Tasks, get_client, is_closed
from skmlp.dask.partitions import is_lazy
from skmlp.dask.sources import open_dask_source
from skmlp.data.sources import Source
from skmlp.data.targets import check_labels, compute_accuracy
from skmlp.defaults import is_auto
from skmlp.fitting.averaging import scale_batch_size
from skmlp.fitting.config import TrainingRun
from skmlp.fitting.parameters import Parameters
from skmlp.fitting.shards import ShardedTrainer
from skmlp.fitting.solvers import StochasticTrainer, Trainer, check_supports
from skmlp.training.batches import ShardedRows


def _add_inherited_parameters(init: Callable[..., None]) -> Callable[..., None]:
    """Show the parameters of MLPSoftmaxClassifier in place of *args, **parameters."""
    inherited = inspect.signature(MLPSoftmaxClassifier.__init__).parameters.values()
    own = [
        parameter
        for parameter in inspect.signature(init).parameters.values()
        if parameter.kind == inspect.Parameter.KEYWORD_ONLY
    ]
    # scikit-learn reads the names of parameters from here
    init.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [*inherited, *own], return_annotation=None
    )
    return init


class DaskMLPSoftmaxClassifier(MLPSoftmaxClassifier):
    """:class:`MLPSoftmaxClassifier` trained on Dask tables by all workers of a cluster.

    Rows are dealt to shards, which stay on the workers. In each communication round,
    the networks take optimizer steps on each shard independently; then their parameters
    and optimizer states are averaged (local SGD). The same partitions, `n_shards` and
    `random_state` give the same model, bit for bit, on any number of workers, even if
    some of them die.

    Methods that predict accept Dask tables, and return lazy Dask Arrays for these; they
    also accept all tables that :class:`MLPSoftmaxClassifier` takes.

    Parameters
    ----------
    *args, **parameters
        Parameters of :class:`MLPSoftmaxClassifier`. ``solver="lbfgs"`` is refused.
        ``encoder_rows="auto"`` means 200000, or fewer if there are more than 20
        columns; a table of no more rows is gathered and encoded where `fit` is called.
        All networks share one validation set.

    client : distributed.Client or None, default=None
        Client of the cluster to train on; None for the most recent one. Neither copied
        by :func:`sklearn.base.clone` nor pickled.

    n_shards : int or None, default=None
        Number of shards, at most the number of partitions with rows; None for the
        number of workers when `fit` is called. With more shards, networks learn
        somewhat less per epoch.

    rounds_per_epoch : int, default=8
        Number of communication rounds per epoch.

    Attributes
    ----------
    n_shards_ : int
        Number of shards in the last `fit`.

    See Also
    --------
    MLPSoftmaxClassifier : For rows in memory or in files; has all other attributes.

    Examples
    --------
    >>> import dask.dataframe as dd
    >>> from distributed import Client
    >>> from sklearn.datasets import load_wine
    >>> from skmlp.dask import DaskMLPSoftmaxClassifier
    >>> client = Client(processes=False, n_workers=2, dashboard_address=":0")
    >>> X, y = load_wine(return_X_y=True, as_frame=True)
    >>> table = dd.from_pandas(X.assign(kind=y), npartitions=4, sort=False)
    >>> model = DaskMLPSoftmaxClassifier(n_estimators=2, max_iter=20, random_state=0)
    >>> model = model.fit(table, "kind")
    >>> lazy = model.predict_proba(table.drop(columns="kind"))
    >>> lazy.compute().shape
    (178, 3)
    >>> bool(model.to_local().score(X, y) > 0.9)
    True
    >>> client.close()
    """

    _parameter_constraints: dict = {
        **MLPSoftmaxClassifier._parameter_constraints,
        "client": [HasMethods("submit"), None],
        "n_shards": [Interval(Integral, 1, None, closed="left"), None],
        "rounds_per_epoch": [Interval(Integral, 1, None, closed="left")],
    }

    n_shards_: int

    @_add_inherited_parameters
    def __init__(
        self,
        *args: Any,
        client: Client | None = None,
        n_shards: int | None = None,
        rounds_per_epoch: int = 8,
        **parameters: Any,
    ) -> None:
        super().__init__(*args, **parameters)
        self.client = client
        self.n_shards = n_shards
        self.rounds_per_epoch = rounds_per_epoch

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train the networks on all workers; a `fit` that fails changes nothing.

        Parameters
        ----------
        X : dask.dataframe.DataFrame or dask.array.Array of shape (n_samples, \
                n_features)
            Training rows.
        y : dask.dataframe.Series, dask.array.Array or str
            Labels in the same partitions as X, or the name of a column of X.
        sample_weight : dask.dataframe.Series, dask.array.Array or str, default=None
            Non-negative weights in the same partitions, or the name of a column of X;
            None means 1.
        X_val, y_val, sample_weight_val : default=None
            Validation set, as in :meth:`MLPSoftmaxClassifier.fit`; Dask tables are
            computed.

        Returns
        -------
        self : DaskMLPSoftmaxClassifier
            The fitted estimator.

        Raises
        ------
        TypeError
            If X, y or weights are not of Dask.
        ValueError
            If data or parameters don't fit together, or there is no open client.
        RuntimeError
            If more workers die than Dask allows, if their engine differs, or if the
            client or its cluster is closed during `fit`.
        """
        validate_parameters(self)  # before the client among them is used
        client = get_client(self.client)
        X_val, y_val, sample_weight_val = self._compute(X_val, y_val, sample_weight_val)
        validation = {"X_val": X_val, "y_val": y_val}
        validation["sample_weight_val"] = sample_weight_val
        with self._explain_lost_cluster(client):
            return super().fit(X, y, sample_weight, **validation)

    @contextmanager
    def _explain_lost_cluster(self, client: Client) -> Iterator[None]:
        """Raise RuntimeError with advice if workers die or the client is closed."""
        advice = "With checkpoint= the name of a file, fit could go on where it was."
        if self.checkpoint is not None:
            path = os.fspath(self.checkpoint)
            advice = f"Called again, fit goes on from the last epoch saved to {path!r}."
        try:
            yield
        except KilledWorker as error:
            raise RuntimeError(
                f"{error.allowed_failures + 1} workers died over the same task, one "
                f"after the other; maybe they had too little memory. {advice}"
            ) from error
        except Exception as error:
            # a closed client cancels tasks, or fails in ways of its own
            if not isinstance(error, CancelledError) and not is_closed(client):
                raise
            raise RuntimeError(
                "the Dask client or its cluster was closed before fit had ended. Make "
                "a new one, as in client = distributed.Client(), and pass client=. "
                f"{advice}"
            ) from error

    # Prediction: the docstrings are those of MLPSoftmaxClassifier

    def predict_proba(self, X: Any) -> Any:
        if is_lazy(X):
            return self._map_partitions("predict_proba", X)
        return super().predict_proba(X)

    def predict_log_proba(self, X: Any) -> Any:
        if is_lazy(X):
            return self._map_partitions("predict_log_proba", X)
        return super().predict_log_proba(X)

    def predict(self, X: Any) -> Any:
        if is_lazy(X):
            return self._map_partitions("predict", X)
        return super().predict(X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        if not is_lazy(X):
            return super().score(X, y, sample_weight)
        # names of columns are replaced by these columns, as in `fit`
        given = (y, sample_weight)
        names = [name for name in given if isinstance(name, str)]
        y, sample_weight = (X[one] if isinstance(one, str) else one for one in given)
        predicted = self.predict(X.drop(columns=names) if names else X)
        predicted, labels, weight = self._compute(predicted, y, sample_weight)
        return compute_accuracy(self.classes_, check_labels(labels), predicted, weight)

    def _map_partitions(self, method: str, X: Any) -> da.Array:
        """Call a method of the fitted classifier on each partition, lazily."""
        model = dask.delayed(self.to_local())  # sent to each worker once
        # an empty array of the right type and shape, which tells Dask what to expect
        empty = np.empty(0, self.classes_.dtype)
        if method != "predict":
            empty = np.empty((0, len(self.classes_)), self.architecture_.dtype)
        if isinstance(X, dd.DataFrame):
            return X.map_partitions(_call_on_rows, model, method, empty, meta=empty)
        X = X.rechunk({1: -1})
        return X.map_blocks(
            _call_on_rows,
            *(model, method, empty),
            meta=empty,
            chunks=(X.chunks[0], *((n,) for n in empty.shape[1:])),
            drop_axis=1 if empty.ndim == 1 else None,
        )

    def _compute(self, *values: Any) -> tuple[Any, ...]:
        """Compute the values that are Dask collections."""
        scheduler = None if self.client is None else get_client(self.client)
        # one by one: Dask warns of data frames and arrays in one graph
        return tuple(
            value.compute(scheduler=scheduler)
            if dask.is_dask_collection(value)
            else value
            for value in values
        )

    # Without Dask

    def to_local(self) -> MLPSoftmaxClassifier:
        """Return the fitted model as a classifier that does not need Dask.

        Returns
        -------
        model : MLPSoftmaxClassifier
            Fitted; it shares its arrays with this one.
        """
        check_is_fitted(self)
        return self.as_local()

    def as_local(self) -> MLPSoftmaxClassifier:
        """Copy parameters and fitted attributes; callbacks are left out."""
        own = self.get_params(deep=False).keys() | {"n_shards_"}
        params = MLPSoftmaxClassifier().get_params(deep=False).keys()
        local = MLPSoftmaxClassifier(**{name: getattr(self, name) for name in params})
        for name, value in vars(self).items():
            if name not in own and not name.startswith("_skl"):
                setattr(local, name, value)
        return local

    def save(self, path: str | os.PathLike) -> None:
        """Write the model of `to_local` to a file that is safe to load.

        Parameters
        ----------
        path : str or os.PathLike
            File to write, as in :meth:`MLPSoftmaxClassifier.save`.
        """
        self.to_local().save(path)

    def __sklearn_clone__(self) -> Self:
        # a client is a connection, which can't be copied
        twin = BaseEstimator.__sklearn_clone__(copy(self))
        twin.client = self.client
        return twin

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "client": None}

    # Hooks of MLPSoftmaxClassifier.fit

    def _open_source(
        self, parameters: Parameters, X: Any, y: Any, sample_weight: Any
    ) -> AbstractContextManager[Source]:
        check_supports(parameters.solver, "shards", "rows in shards")
        return open_dask_source(self, parameters, X, y, sample_weight)

    def _build_trainer(self, parameters: Parameters, run: TrainingRun) -> Trainer:
        trainer = super()._build_trainer(parameters, run)
        rows = run.data.samples.x
        if not isinstance(rows, ShardedRows):  # partial_fit trains here
            return trainer
        assert isinstance(trainer, StochasticTrainer), "others were refused"
        self.n_shards_ = len(rows.sizes)
        if is_auto(parameters.batch_size):
            batch_size = scale_batch_size(self.n_shards_, trainer.batch_size)
            trainer = replace(trainer, batch_size=batch_size)
        executor = DaskExecutor(Tasks(get_client(self.client)), rows)
        return ShardedTrainer(trainer, executor, int(self.rounds_per_epoch))


def _call_on_rows(
    rows: Any, model: MLPSoftmaxClassifier, method: str, empty: np.ndarray
) -> np.ndarray:
    """Call a method of a model on some rows; return `empty` if there are none."""
    return getattr(model, method)(rows) if len(rows) else empty
