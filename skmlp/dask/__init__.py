"""Training on a Dask cluster; `DaskMLPSoftmaxClassifier` is public."""

try:
    import dask.dataframe  # noqa: F401
    import distributed  # noqa: F401
except ImportError as error:
    raise ImportError(
        "skmlp.dask needs Dask with its data frames and its scheduler; pip install "
        "'skmlp[dask]'."
    ) from error

from skmlp.dask.classifier import DaskMLPSoftmaxClassifier

__all__ = ["DaskMLPSoftmaxClassifier"]
