"""DaskMLPSoftmaxClassifier: training on all workers of a Dask cluster."""

import inspect
import os
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager
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
from skmlp.dask.averaging import OnCluster
from skmlp.dask.cluster import Tasks, client_of, has_closed
from skmlp.dask.partitions import is_lazy, is_name
from skmlp.dask.sources import source_on_cluster
from skmlp.data.sources import Source
from skmlp.data.targets import check_labels, compute_accuracy
from skmlp.defaults import is_auto
from skmlp.fitting.averaging import scale_batch_size
from skmlp.fitting.config import TrainingRun
from skmlp.fitting.parameters import Parameters
from skmlp.fitting.shards import ShardedTrainer
from skmlp.fitting.solvers import StochasticTrainer, Trainer, check_supports
from skmlp.training.batches import ShardedRows


class DaskMLPSoftmaxClassifier(MLPSoftmaxClassifier):
    """:class:`MLPSoftmaxClassifier` for tables of Dask, trained by all of its workers.

    Rows are dealt to shards, which stay with the workers. Networks learn on each shard
    by themselves for a part of an epoch, a round; then all go on from the mean of what
    they have become. The same partitions, `n_shards` and `random_state` give the same
    model, bit for bit, on however many workers, also if some of them die.

    Parameters
    ----------
    *args, **parameters
        As of :class:`MLPSoftmaxClassifier`, where ``solver="lbfgs"`` is refused and
        `encoder_rows`, if "auto", is 200000, or fewer where there are more than 20
        columns. Of no more rows, all are gathered to be encoded where `fit` is called.
        Rows held out are the same for all networks.

    client : distributed.Client or None, default=None
        Where to train; None for the client that was made last. Neither copied by
        :func:`sklearn.base.clone` nor pickled.

    n_shards : int or None, default=None
        How many shards there are, at most as many as partitions with rows; None for the
        number of workers when `fit` is called. More shards learn somewhat less per
        epoch.

    rounds_per_epoch : int, default=8
        How often per epoch the mean is taken.

    Attributes
    ----------
    n_shards_ : int
        How many shards there were.

    See Also
    --------
    MLPSoftmaxClassifier : For rows in memory, or in files; has all other attributes.

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
        """Train the networks on the rows of X, on all workers.

        If it fails, the estimator stays as it was.

        Parameters
        ----------
        X : dask.dataframe.DataFrame or dask.array.Array of shape (n_samples, \
                n_features)
            The rows.
        y : dask.dataframe.Series, dask.array.Array or str
            Labels in as many partitions, or the name of the column of X that has them.
        sample_weight : dask.dataframe.Series, dask.array.Array or str, default=None
            Non-negative weight per row, likewise; None means 1.
        X_val, y_val, sample_weight_val : default=None
            Rows to score after each epoch, as of :class:`MLPSoftmaxClassifier`; those
            of Dask are computed.

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
            If more workers have died than Dask allows, if they have another engine, or
            if the client or its cluster is closed meanwhile.
        """
        validate_parameters(self)  # before the client among them is used
        client = client_of(self.client)
        validation_data = self._computed(X_val, y_val, sample_weight_val)
        names = ("X_val", "y_val", "sample_weight_val")
        try:
            return super().fit(
                X, y, sample_weight, **dict(zip(names, validation_data, strict=True))
            )
        except KilledWorker as error:
            raise RuntimeError(
                f"{error.allowed_failures + 1} workers died over the same task, one "
                f"after the other; maybe they had too little memory. {self._way_on()}"
            ) from error
        except Exception as error:
            if not isinstance(error, CancelledError) and not has_closed(client):
                raise
            raise RuntimeError(
                "the Dask client or its cluster was closed before fit had ended. Make "
                "a new one, as in client = distributed.Client(), and pass client=. "
                f"{self._way_on()}"
            ) from error

    def _way_on(self) -> str:
        """What to do where a fit was cut off."""
        if self.checkpoint is None:
            return "With checkpoint= the name of a file, fit could go on where it was."
        path = os.fspath(self.checkpoint)
        return f"Called again, fit goes on from the last epoch saved to {path!r}."

    def predict_proba(self, X: Any) -> Any:
        """Probability of each class for each row: of rows of Dask, as a Dask Array.

        Parameters
        ----------
        X : dask.dataframe.DataFrame, dask.array.Array, or what \
                `MLPSoftmaxClassifier` takes
            Rows with the columns that `fit` was given.

        Returns
        -------
        probabilities : dask.array.Array or ndarray of shape (n_samples, n_classes)
            Of a data frame, with unknown lengths of its blocks.
        """
        if is_lazy(X):
            return self._lazily("predict_proba", X)
        return super().predict_proba(X)

    def predict_log_proba(self, X: Any) -> Any:
        """Natural logarithm of `predict_proba`.

        Parameters
        ----------
        X : as of `predict_proba`
            The rows.

        Returns
        -------
        log_probabilities : dask.array.Array or ndarray of shape (n_samples, n_classes)
            As of `predict_proba`.
        """
        if is_lazy(X):
            return self._lazily("predict_log_proba", X)
        return super().predict_log_proba(X)

    def predict(self, X: Any) -> Any:
        """The most probable label of each row.

        Parameters
        ----------
        X : as of `predict_proba`
            The rows.

        Returns
        -------
        labels : dask.array.Array or ndarray of shape (n_samples,)
            Members of `classes_`.
        """
        if is_lazy(X):
            return self._lazily("predict", X)
        return super().predict(X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy of `predict` on given rows; it is computed at once.

        Parameters
        ----------
        X : as of `predict_proba`
            The rows.
        y, sample_weight : as of `fit`
            The right labels, and weights or None.

        Returns
        -------
        score : float
            Part of the rows, by weight, whose label is predicted.
        """
        if not is_lazy(X):
            return super().score(X, y, sample_weight)
        given = {"y": y, "sample_weight": sample_weight}
        roles = {role: name for role, name in given.items() if is_name(name)}
        given |= {role: X[name] for role, name in roles.items()}
        if roles:
            X = X.drop(columns=list(roles.values()))
        predicted, labels, weight = self._computed(self.predict(X), *given.values())
        return compute_accuracy(self.classes_, check_labels(labels), predicted, weight)

    def to_local(self) -> MLPSoftmaxClassifier:
        """What was learnt, as a classifier that knows nothing of Dask.

        Returns
        -------
        model : MLPSoftmaxClassifier
            Fitted; it shares its arrays with this one.
        """
        check_is_fitted(self)
        return self.as_local()

    def as_local(self) -> MLPSoftmaxClassifier:
        """The same, as far as it is fitted; callbacks are left out."""
        own = self.get_params(deep=False).keys() | {"n_shards_"}
        params = MLPSoftmaxClassifier().get_params(deep=False).keys()
        local = MLPSoftmaxClassifier(**{name: getattr(self, name) for name in params})
        for name, value in vars(self).items():
            if name not in own and not name.startswith("_skl"):
                setattr(local, name, value)
        return local

    def save(self, path: str | os.PathLike) -> None:
        """Write what `to_local` gives to a file that is safe to load.

        Parameters
        ----------
        path : str or os.PathLike
            Where to, as of `MLPSoftmaxClassifier.save`.
        """
        self.to_local().save(path)

    def __sklearn_clone__(self) -> Self:
        # a client is a connection, which can't be copied
        twin = BaseEstimator.__sklearn_clone__(copy(self))
        twin.client = self.client
        return twin

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "client": None}

    def _computed(self, *values: Any) -> tuple[Any, ...]:
        """Those of the values that are of Dask, computed, beside the others."""
        scheduler = None if self.client is None else client_of(self.client)
        return tuple(
            value.compute(scheduler=scheduler)
            if dask.is_dask_collection(value)
            else value
            for value in values
        )

    def _lazily(self, method: str, X: Any) -> da.Array:
        """What a method of the classifier says of each partition."""
        model = dask.delayed(self.to_local())
        meta = np.empty(0, self.classes_.dtype)
        if method != "predict":
            meta = np.empty((0, len(self.classes_)), self.architecture_.dtype)
        if isinstance(X, dd.DataFrame):
            return X.map_partitions(answers, model, method, meta, meta=meta)
        X = X.rechunk({1: -1})
        return X.map_blocks(
            answers,
            *(model, method, meta),
            meta=meta,
            chunks=(X.chunks[0], *((n,) for n in meta.shape[1:])),
            drop_axis=1 if meta.ndim == 1 else None,
        )

    def _open_source(
        self, parameters: Parameters, X: Any, y: Any, sample_weight: Any
    ) -> AbstractContextManager[Source]:
        check_supports(parameters.solver, "shards", "rows in shards")
        return source_on_cluster(self, parameters, X, y, sample_weight)

    def _build_trainer(self, parameters: Parameters, run: TrainingRun) -> Trainer:
        trainer = super()._build_trainer(parameters, run)
        rows = run.data.samples.x
        if not isinstance(rows, ShardedRows):  # those of partial_fit
            return trainer
        assert isinstance(trainer, StochasticTrainer), "others were refused"
        self.n_shards_ = len(rows.sizes)
        if is_auto(parameters.batch_size):
            batch_size = scale_batch_size(self.n_shards_, trainer.batch_size)
            trainer = replace(trainer, batch_size=batch_size)
        executor = OnCluster(Tasks(client_of(self.client)), rows)
        return ShardedTrainer(trainer, executor, int(self.rounds_per_epoch))


def answers(rows: Any, model: MLPSoftmaxClassifier, method: str, none: Any) -> Any:
    """What a method of a model says of some rows; `none` where there are no rows."""
    return getattr(model, method)(rows) if len(rows) else none


def with_all_parameters() -> inspect.Signature:
    """The constructor's own parameters behind those of the classifier."""
    inherited = inspect.signature(MLPSoftmaxClassifier.__init__).parameters
    own = [
        parameter
        for parameter in inspect.signature(DaskMLPSoftmaxClassifier).parameters.values()
        if parameter.kind == inspect.Parameter.KEYWORD_ONLY
    ]
    return inspect.Signature([*inherited.values(), *own], return_annotation=None)


DaskMLPSoftmaxClassifier.__init__.__signature__ = with_all_parameters()  # type: ignore[attr-defined]
