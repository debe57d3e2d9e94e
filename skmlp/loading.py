"""Reading saved classifiers."""

import os

from skmlp.classifier import MLPSoftmaxClassifier
from skmlp.persistence import models


def load(path: str | os.PathLike) -> MLPSoftmaxClassifier:
    """Read a classifier that its method `save` wrote to a file.

    Other than with pickle, a file can come from anywhere: reading executes nothing of
    it, and takes memory in proportion to its length. Whether the model is one to trust
    is another question.

    Parameters
    ----------
    path : str or os.PathLike
        The file.

    Returns
    -------
    model : MLPSoftmaxClassifier
        With the parameters, fitted attributes and predictions of the one that was
        saved. Training goes on as it would have there.

    Raises
    ------
    FileRefusedError
        If the file is damaged, incomplete, no saved model, or from a newer version.
    OSError
        If there is no such file, or it can't be opened.

    See Also
    --------
    MLPSoftmaxClassifier.save : Writes such files.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import skmlp
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]] * 20, ["low", "low", "high", "high"] * 20
    >>> model = skmlp.MLPSoftmaxClassifier(n_estimators=2, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "model.skmlp"
    ...     model.save(path)
    ...     loaded = skmlp.load(path)
    >>> bool((loaded.predict_proba(X) == model.predict_proba(X)).all())
    True
    """
    return models.load(path, MLPSoftmaxClassifier)
