"""The structures of core.c; a test compares names, order and types with the source."""

import ctypes
from ctypes import POINTER, c_double, c_float, c_int32, c_int64, c_void_p
from typing import Any


def _fields(ctype: type, names: str) -> list[tuple[str, Any]]:
    return [(name, ctype) for name in names.split()]


class LayerStruct(ctypes.Structure):
    """A dense layer with its activation and dropout."""

    _fields_ = [
        *_fields(c_int64, "fan_in fan_out x_stride y_stride weight_stride activation"),
        *_fields(c_float, "constant dropout_scale"),
        *_fields(ctypes.c_uint32, "dropout_threshold"),
        *_fields(c_float, "slope_rate_factor"),
        *_fields(c_int64, "is_slope_shared weight_member_stride bias_member_stride"),
        *_fields(c_int64, "slope_member_stride"),
        *_fields(c_void_p, "weight bias slope transposed x y derivative slope_grad"),
        *_fields(c_void_p, "grad"),
    ]


class EmbeddingStruct(ctypes.Structure):
    """The periodic embedding of the first columns."""

    _fields_ = [
        *_fields(c_int64, "n_inputs n_numbers x_stride y_stride"),
        *_fields(c_void_p, "parameters x y grad cosine sine"),
        *_fields(c_int64, "n_rows member_stride"),
    ]


class NetworkStruct(ctypes.Structure):
    """All layers, and the arrays that they share."""

    _fields_ = [
        *_fields(c_int64, "n_inputs n_classes n_layers x_stride"),
        *_fields(c_void_p, "x"),
        *_fields(POINTER(LayerStruct), "layers"),
        *_fields(POINTER(EmbeddingStruct), "embedding"),
        *_fields(c_void_p, "class_major"),
        *_fields(c_int64, "n_rows"),
        *_fields(c_void_p, "losses"),
    ]


class SamplesStruct(ctypes.Structure):
    """Rows with their class indices and sample weights."""

    _fields_ = [
        *_fields(c_void_p, "x"),
        *_fields(c_int64, "row_stride column_stride"),
        *_fields(c_void_p, "indices y_encoded sample_weight"),
    ]


class OptimizerStruct(ctypes.Structure):
    """An optimizer, regularization and the number of steps so far."""

    _fields_ = [
        *_fields(c_int64, "kind state_stride t"),
        *_fields(c_double, "beta_1 beta_2 epsilon momentum"),
        *_fields(c_int64, "is_nesterov"),
        *_fields(c_double, "l2 weight_decay"),
    ]


class EpochStruct(ctypes.Structure):
    """Batches of an epoch, from `first_batch` on."""

    _fields_ = [
        *_fields(c_void_p, "order"),
        *_fields(c_int64, "n_samples batch_size first_batch"),
        *_fields(c_double, "seconds"),
        *_fields(ctypes.c_uint64, "seed"),
        *_fields(c_double, "label_smoothing"),
        *_fields(c_void_p, "learning_rates losses"),
    ]


class TeamStruct(ctypes.Structure):
    """Threads that share the work on each batch."""

    _fields_ = _fields(c_int32, "n_threads n_waiting generation is_aborted should_stop")
