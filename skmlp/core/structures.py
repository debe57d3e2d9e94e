"""The structures of core.c, field by field."""

import ctypes
from ctypes import (
    POINTER,
    c_double,
    c_float,
    c_int32,
    c_int64,
    c_uint32,
    c_uint64,
    c_void_p,
)


class Layer(ctypes.Structure):
    """A dense layer, the activation behind it, and dropout."""

    _fields_ = [
        *((name, c_int64) for name in ("fan_in", "fan_out", "x_stride", "y_stride")),
        ("weight_stride", c_int64),
        ("activation", c_int64),
        ("constant", c_float),
        ("dropout_scale", c_float),
        ("dropout_threshold", c_uint32),
        ("slope_rate_factor", c_float),
        ("is_slope_shared", c_int64),
        *(
            (name, c_int64)
            for name in (
                "weight_member_stride",
                "bias_member_stride",
                "slope_member_stride",
            )
        ),
        *((name, c_void_p) for name in ("weight", "bias", "slope", "transposed")),
        *((name, c_void_p) for name in ("x", "y", "derivative", "slope_grad", "grad")),
    ]


class Embedding(ctypes.Structure):
    """The periodic embedding of the first columns."""

    _fields_ = [
        *(
            (name, c_int64)
            for name in ("n_inputs", "n_numbers", "x_stride", "y_stride")
        ),
        *(
            (name, c_void_p)
            for name in ("parameters", "x", "y", "grad", "cosine", "sine")
        ),
        ("n_rows", c_int64),
        ("member_stride", c_int64),
    ]


class Network(ctypes.Structure):
    """All layers, and the arrays that they share."""

    _fields_ = [
        *(
            (name, c_int64)
            for name in ("n_inputs", "n_classes", "n_layers", "x_stride")
        ),
        ("x", c_void_p),
        ("layers", POINTER(Layer)),
        ("embedding", POINTER(Embedding)),
        ("class_major", c_void_p),
        ("n_rows", c_int64),
        ("losses", c_void_p),
    ]


class Samples(ctypes.Structure):
    """Rows with their classes and weights."""

    _fields_ = [
        ("x", c_void_p),
        ("row_stride", c_int64),
        ("column_stride", c_int64),
        ("indices", c_void_p),
        ("y_encoded", c_void_p),
        ("sample_weight", c_void_p),
    ]


class Optimizer(ctypes.Structure):
    """An update rule, and the decay beside it."""

    _fields_ = [
        *((name, c_int64) for name in ("kind", "state_stride", "t")),
        *((name, c_double) for name in ("beta_1", "beta_2", "epsilon", "momentum")),
        ("is_nesterov", c_int64),
        *((name, c_double) for name in ("l2", "weight_decay")),
    ]


class Epoch(ctypes.Structure):
    """Batches of an epoch, from one of them on."""

    _fields_ = [
        ("order", c_void_p),
        *((name, c_int64) for name in ("n_samples", "batch_size", "first_batch")),
        ("seconds", c_double),
        ("seed", c_uint64),
        ("label_smoothing", c_double),
        ("learning_rates", c_void_p),
        ("losses", c_void_p),
    ]


class Team(ctypes.Structure):
    """Threads that share the work on each batch."""

    _fields_ = [
        *((name, c_int32) for name in ("n_threads", "n_waiting", "generation")),
        *((name, c_int32) for name in ("is_aborted", "should_stop")),
    ]
