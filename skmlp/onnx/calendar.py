"""Calendar arithmetic as nodes: month, weekday and hour of microseconds since 1970."""

from collections.abc import Callable

from onnx import TensorProto

from skmlp.onnx.graph import Graph, as_int64

SECOND = 1_000_000  # in microseconds, the unit of all moments and durations in a graph

HOUR, DAY = 3600 * SECOND, 86_400 * SECOND


class Integers:
    """An int64 tensor of the graph, with the integer arithmetic of Python."""

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph = graph
        self.name = name

    def __add__(self, other: "Integers | int") -> "Integers":
        return self._add_node("Add", other)

    def __sub__(self, other: "Integers | int") -> "Integers":
        return self._add_node("Sub", other)

    def __mul__(self, other: "Integers | int") -> "Integers":
        return self._add_node("Mul", other)

    def __mod__(self, other: "Integers | int") -> "Integers":
        # like Python's, ONNX's remainder has the sign of the divisor
        return self._add_node("Mod", other)

    def __floordiv__(self, other: "Integers | int") -> "Integers":
        # ONNX truncates quotients, so the remainder goes first
        return (self - self % other)._add_node("Div", other)

    def _add_node(self, operator: str, other: "Integers | int") -> "Integers":
        name = as_int64(other) if isinstance(other, int) else other.name
        return Integers(self.graph, self.graph.add(operator, self.name, name))

    def equals(self, value: int) -> str:
        """Add a comparison with a constant."""
        return self.graph.add("Equal", self.name, as_int64(value))

    def as_double(self) -> str:
        """Add a cast to double precision."""
        return self.graph.add("Cast", self.name, to=TensorProto.DOUBLE)


def _compute_month(local: Integers) -> Integers:
    """Compute the month, 1 to 12."""
    # Years are counted from March 1, so that the leap day comes last; the calendar
    # repeats after an era of 400 years, which has 146,097 days. 719,468 days lie
    # between March 1 of year 0 and 1970.
    day_of_era = (local // DAY + 719_468) % 146_097
    # without the leap days of 4, 100 and 400 years, each year has 365 days
    leap_days = day_of_era // 1460 - day_of_era // 36_524 + day_of_era // 146_096
    year_of_era = (day_of_era - leap_days) // 365
    first_day = year_of_era * 365 + year_of_era // 4 - year_of_era // 100
    # from March on, five months have 153 days
    months_since_march = ((day_of_era - first_day) * 5 + 2) // 153
    return (months_since_march + 2) % 12 + 1


def _compute_weekday(local: Integers) -> Integers:
    """Compute the weekday, 0 (Monday) to 6."""
    return (local // DAY + 3) % 7  # 1970 began on a Thursday


def _compute_hour(local: Integers) -> Integers:
    """Compute the hour, 0 to 23."""
    return local % DAY // HOUR


DATE_PART_NODES: dict[str, Callable[[Integers], Integers]] = {
    "month": _compute_month,
    "weekday": _compute_weekday,
    "hour": _compute_hour,
}
"""Formulas of the parts of a date, from microseconds of local time since 1970."""
