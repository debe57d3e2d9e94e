"""scikit-learn's recipe, for benchmarks that compare one network with another."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from networks import CLASSIC, classic

__all__ = ["CLASSIC", "classic"]
