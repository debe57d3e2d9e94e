"""Activations: the function of a hidden unit, and its derivative."""

import math
from collections.abc import Iterator
from numbers import Real
from typing import ClassVar

import numpy as np
from scipy.special import expit, ndtr

from skmlp.nn.parameters import Views

Array = np.ndarray  # a short name, so that each signature fits on a line

# largest slope or scale; products of larger ones over many layers leave float32
MAX_CONSTANT = 1000.0


def _to_constant(value: float) -> float:
    """Convert any real number to float; `resolve_activation` rejects anything else."""
    return float(value) if isinstance(value, Real) else value


def _check_constant(name: str, value: float) -> None:
    """Raise unless a constant of an activation is a number in range."""
    if not isinstance(value, Real) or not abs(value) <= MAX_CONSTANT:
        raise ValueError(
            f"{name} must be a number from -{MAX_CONSTANT:g} to "
            f"{MAX_CONSTANT:g}, got {value!r}."
        )


class Activation:
    """A function applied to each unit of a hidden layer; subclass it to add your own.

    A subclass defines two formulas, `value` and `derivative`, and then works
    everywhere: in training, in plots and as ``MLPSoftmaxClassifier(activation=...)``.
    If the derivative follows from f(z), define `derivative_from_value` instead of
    `derivative`: training then needs one array per layer less.
    An activation holds no arrays; the layer owns them and passes them in.

    Attributes
    ----------
    initial : dict of str to float
        Initial value of each learned parameter, by name; empty for none.
    shared : bool
        Whether learned parameters are one per layer instead of one per unit.
    initializer : str
        Initializer of the weights before this activation:
        ``"he_normal"``, ``"glorot_uniform"`` or ``"lecun_normal"``.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp import Activation
    >>> class Square(Activation):
    ...     def value(self, z, out, p):
    ...         return np.multiply(z, z, out=out)
    ...
    ...     def derivative(self, z, out, p):
    ...         return np.multiply(z, 2, out=out)
    >>> z = np.array([-1.0, 3.0])
    >>> Square().value(z, np.empty_like(z), None)
    array([1., 9.])
    """

    initial: dict[str, float] = {}
    shared: bool = False
    initializer: ClassVar[str] = "he_normal"
    constants: ClassVar[
        tuple[str, ...]
    ] = ()  # attributes checked by `resolve_activation`

    def value(self, z: Array, out: Array, p: Views) -> Array:
        """Write f(z) to `out` and return it.

        Parameters
        ----------
        z : ndarray of shape (..., n_samples, n_units)
            Output of the layer's affine map; must not be overwritten. Leading axes
            are those of a stack of networks, which `p` has as well.
        out : ndarray of the same shape
            Output array, uninitialized. In training it is `z` itself if there is a
            `derivative_from_value`.
        p : Views
            Learned parameters by name, each of shape (1, n_units), or (1, 1) if shared.
        """
        raise NotImplementedError

    def derivative(self, z: Array, out: Array, p: Views) -> Array:
        """Write df / dz at the input `z` to `out` and return it."""
        return self.derivative_from_value(self.value(z, out, p), out, p)

    def derivative_from_value(self, y: Array, out: Array, p: Views) -> Array:
        """Write df / dz, given y = f(z), to `out`, which may be `y`, and return it."""
        raise NotImplementedError

    @property
    def needs_only_value(self) -> bool:
        """True if df / dz follows from f(z), so that z need not be kept."""
        # a subclass that overrides another formula must not use the inherited
        # `derivative_from_value`: the first class with any formula decides
        formulas = {"value", "derivative", "derivative_from_value"}
        for ancestor in type(self).__mro__:
            given = formulas & vars(ancestor).keys()
            if given:
                return "derivative_from_value" in given and ancestor is not Activation
        return False

    def parameter_derivatives(
        self, z: Array, out: Array, p: Views
    ) -> Iterator[tuple[str, Array]]:
        """Yield (name, df / d parameter), written to `out`, per learned parameter."""
        return iter(())

    def shapes(self, n_units: int) -> dict[str, tuple[int, ...]]:
        """Shape of each learned parameter in a layer of `n_units`."""
        return dict.fromkeys(self.initial, (1 if self.shared else n_units,))

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({settings})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), tuple(vars(self).items())))


class Identity(Activation):
    """f(z) = z; a stack of such layers is one affine map.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp import Identity
    >>> z = np.array([-2.0, 0.0, 2.0])
    >>> Identity().value(z, np.empty_like(z), None)
    array([-2.,  0.,  2.])
    """

    initializer = "glorot_uniform"

    def value(self, z: Array, out: Array, p: Views) -> Array:
        np.copyto(out, z)
        return out

    def derivative_from_value(self, y: Array, out: Array, p: Views) -> Array:
        out.fill(1)
        return out


class ReLU(Activation):
    """f(z) = max(0, z), the rectified linear unit (Nair and Hinton, 2010).

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp import ReLU
    >>> z = np.array([-2.0, 0.0, 2.0])
    >>> ReLU().value(z, np.empty_like(z), None)
    array([0., 0., 2.])
    """

    def value(self, z: Array, out: Array, p: Views) -> Array:
        return np.maximum(z, 0, out=out)

    def derivative_from_value(self, y: Array, out: Array, p: Views) -> Array:
        return np.greater(y, 0, out=out)


class PiecewiseLinear(Activation):
    """f(z) = z where z > 0, else slope * z: base of LeakyReLU and PReLU."""

    def slope(self, p: Views) -> float | Array:
        """Return the slope below 0: a number, or an array with one per unit."""
        raise NotImplementedError

    def value(self, z: Array, out: Array, p: Views) -> Array:
        # z + (slope - 1) min(z, 0): on whole arrays, 10x faster than masked
        np.minimum(z, 0, out=out)
        out *= self.slope(p) - 1
        out += z
        return out

    def derivative(self, z: Array, out: Array, p: Views) -> Array:
        np.less_equal(z, 0, out=out)
        out *= self.slope(p) - 1
        out += 1
        return out


class LeakyReLU(PiecewiseLinear):
    """f(z) = z where z > 0, else negative_slope * z (Maas et al., 2013).

    Parameters
    ----------
    negative_slope : float, default=0.01
        The fixed slope below 0, in [-1000, 1000].

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp import LeakyReLU
    >>> z = np.array([-2.0, 0.0, 2.0])
    >>> LeakyReLU().value(z, np.empty_like(z), None)
    array([-0.02,  0.  ,  2.  ])
    """

    constants = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = _to_constant(negative_slope)

    def slope(self, p: Views) -> float:
        return self.negative_slope


class PReLU(PiecewiseLinear):
    """f(z) = z where z > 0, else slope * z, with a learned slope (He et al., 2015).

    Parameters
    ----------
    init : float, default=0.25
        Initial value of the slope, in [-1000, 1000].
    shared : bool, default=False
        One slope for the whole layer instead of one per unit.

    Examples
    --------
    >>> from skmlp import MLPSoftmaxClassifier, PReLU
    >>> MLPSoftmaxClassifier(activation=PReLU(init=0.1, shared=True))
    MLPSoftmaxClassifier(activation=PReLU(init=0.1, shared=True))
    """

    constants = ("init",)

    def __init__(self, init: float = 0.25, shared: bool = False) -> None:
        self.init = _to_constant(init)
        self.shared = bool(shared)

    @property
    def initial(self) -> dict[str, float]:  # type: ignore[override]
        """Initial slope: `init`."""
        return {"slope": self.init}

    def slope(self, p: Views) -> Array:
        return p.slope

    def parameter_derivatives(
        self, z: Array, out: Array, p: Views
    ) -> Iterator[tuple[str, Array]]:
        yield "slope", np.minimum(z, 0, out=out)


class Sigmoid(Activation):
    """f(z) = 1 / (1 + exp(-z)), the logistic function.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp import Sigmoid
    >>> z = np.array([-2.0, 0.0, 2.0])
    >>> Sigmoid().value(z, np.empty_like(z), None).round(2)
    array([0.12, 0.5 , 0.88])
    """

    initializer = "glorot_uniform"

    def value(self, z: Array, out: Array, p: Views) -> Array:
        return expit(z, out=out)

    def derivative_from_value(self, y: Array, out: Array, p: Views) -> Array:
        return np.subtract(y, y * y, out=out)


class Tanh(Activation):
    """f(z) = tanh(z).

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp import Tanh
    >>> z = np.array([-2.0, 0.0, 2.0])
    >>> Tanh().value(z, np.empty_like(z), None).round(2)
    array([-0.96,  0.  ,  0.96])
    """

    initializer = "glorot_uniform"

    def value(self, z: Array, out: Array, p: Views) -> Array:
        return np.tanh(z, out=out)

    def derivative_from_value(self, y: Array, out: Array, p: Views) -> Array:
        np.multiply(y, y, out=out)
        return np.subtract(1, out, out=out)


class ELU(Activation):
    """f(z) = z where z > 0, else alpha * (exp(z) - 1) (Clevert et al., 2016).

    Parameters
    ----------
    alpha : float, default=1.0
        The value that -f approaches for very negative z, in [-1000, 1000].

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp import ELU
    >>> z = np.array([-2.0, 0.0, 2.0])
    >>> ELU().value(z, np.empty_like(z), None).round(2)
    array([-0.86,  0.  ,  2.  ])
    """

    constants = ("alpha",)

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = _to_constant(alpha)

    def value(self, z: Array, out: Array, p: Views) -> Array:
        np.expm1(np.minimum(z, 0, out=out), out=out)
        out *= self.alpha
        return np.add(out, np.maximum(z, 0), out=out)

    def derivative(self, z: Array, out: Array, p: Views) -> Array:
        np.exp(np.minimum(z, 0, out=out), out=out)
        return np.multiply(out, self.alpha, out=out, where=z <= 0)


class SELU(Activation):
    """A scaled ELU that keeps mean 0 and variance 1 (Klambauer et al., 2017).

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp import SELU
    >>> z = np.array([-2.0, 0.0, 2.0])
    >>> SELU().value(z, np.empty_like(z), None).round(2)
    array([-1.52,  0.  ,  2.1 ])
    """

    initializer = "lecun_normal"

    scale = 1.0507009873554804934193349852946
    elu = ELU(alpha=1.6732632423543772848170429916717)

    def value(self, z: Array, out: Array, p: Views) -> Array:
        out = self.elu.value(z, out, p)
        out *= self.scale
        return out

    def derivative(self, z: Array, out: Array, p: Views) -> Array:
        out = self.elu.derivative(z, out, p)
        out *= self.scale
        return out


class GELU(Activation):
    """f(z) = z Phi(z), Phi the normal distribution function (Hendrycks, 2016).

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp import GELU
    >>> z = np.array([-2.0, 0.0, 2.0])
    >>> GELU().value(z, np.empty_like(z), None).round(2)
    array([-0.05,  0.  ,  1.95])
    """

    def value(self, z: Array, out: Array, p: Views) -> Array:
        ndtr(z, out=out)
        return np.multiply(out, z, out=out)

    def derivative(self, z: Array, out: Array, p: Views) -> Array:
        # Phi(z) + z phi(z)
        np.multiply(z, z, out=out)
        out *= -0.5
        np.exp(out, out=out)
        out *= z
        out *= 1 / math.sqrt(2 * math.pi)
        return np.add(out, ndtr(z), out=out)


class SiLU(Activation):
    """f(z) = z sigmoid(z), also called swish (Elfwing et al., 2018).

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp import SiLU
    >>> z = np.array([-2.0, 0.0, 2.0])
    >>> SiLU().value(z, np.empty_like(z), None).round(2)
    array([-0.24,  0.  ,  1.76])
    """

    def value(self, z: Array, out: Array, p: Views) -> Array:
        expit(z, out=out)
        return np.multiply(out, z, out=out)

    def derivative(self, z: Array, out: Array, p: Views) -> Array:
        # s(z) (1 + z s(-z)), s the sigmoid
        expit(-z, out=out)
        out *= z
        out += 1
        return np.multiply(out, expit(z), out=out)


class Softplus(Activation):
    """f(z) = log(1 + exp(z)), a smooth relu (Dugas et al., 2001).

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp import Softplus
    >>> z = np.array([-2.0, 0.0, 2.0])
    >>> Softplus().value(z, np.empty_like(z), None).round(2)
    array([0.13, 0.69, 2.13])
    """

    initializer = "glorot_uniform"

    def value(self, z: Array, out: Array, p: Views) -> Array:
        return np.logaddexp(0, z, out=out)

    def derivative_from_value(self, y: Array, out: Array, p: Views) -> Array:
        # sigmoid(z) = 1 - exp(-f(z))
        np.expm1(np.negative(y, out=out), out=out)
        return np.negative(out, out=out)


ACTIVATIONS: dict[str, type[Activation]] = {
    "identity": Identity,
    "relu": ReLU,
    "prelu": PReLU,
    "leaky_relu": LeakyReLU,
    "sigmoid": Sigmoid,
    "logistic": Sigmoid,
    "tanh": Tanh,
    "elu": ELU,
    "selu": SELU,
    "gelu": GELU,
    "silu": SiLU,
    "softplus": Softplus,
}
"""Activations by the name that `MLPSoftmaxClassifier` takes."""


def resolve_activation(activation: str | type[Activation] | Activation) -> Activation:
    """Return the activation that a name, a subclass or an instance stands for."""
    if isinstance(activation, str) and activation in ACTIVATIONS:
        return ACTIVATIONS[activation]()
    if isinstance(activation, type) and issubclass(activation, Activation):
        activation = activation()
    if isinstance(activation, Activation):
        for name in activation.constants:
            _check_constant(f"{name} of {activation!r}", getattr(activation, name))
        for name, value in activation.initial.items():
            _check_constant(f"the start value {name!r} of {activation!r}", value)
        return activation
    raise ValueError(
        f"unknown activation {activation!r}; choose from "
        f"{', '.join(sorted(ACTIVATIONS))}, or pass an instance of skmlp.Activation."
    )
