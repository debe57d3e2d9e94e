"""Dates as nodes: what the calendar says, and moments that text stands for."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from onnx import TensorProto

from skmlp.onnx.graph import TEXT_OPSET, Graph, ints, matches, tokenized
from skmlp.tabular.text_parsing import DATE_PATTERN

MISSING = np.iinfo(np.int64).min
"""What stands for no moment, duration or time; NumPy's NaT is the same number."""

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
"""In microseconds, the unit of moments, durations and times."""


INT64 = TensorProto.INT64


class Whole:
    """Whole numbers in a graph, to calculate with as in Python.

    Parameters
    ----------
    graph : Graph
        Where nodes are added.
    name : str or int
        Of what is there already, or a constant.
    """

    def __init__(self, graph: Graph, name: str | int) -> None:
        self.graph = graph
        self.name = graph.constant(ints(name)) if isinstance(name, int) else name

    def __add__(self, other: "Whole | int") -> "Whole":
        return self._with("Add", other)

    def __sub__(self, other: "Whole | int") -> "Whole":
        return self._with("Sub", other)

    def __mul__(self, other: "Whole | int") -> "Whole":
        return self._with("Mul", other)

    def __mod__(self, other: "Whole | int") -> "Whole":
        # as in Python, of the sign of the divisor
        return self._with("Mod", other)

    def __floordiv__(self, other: "Whole | int") -> "Whole":
        # ONNX rounds quotients towards 0, which without the rest are whole
        return (self - self % other)._with("Div", other)

    def _with(self, operator: str, other: "Whole | int") -> "Whole":
        name = ints(other) if isinstance(other, int) else other.name
        return Whole(self.graph, self.graph.add(operator, self.name, name))

    def equals(self, other: "Whole | int") -> str:
        """Where both are the same."""
        name = ints(other) if isinstance(other, int) else other.name
        return self.graph.add("Equal", self.name, name)

    def as_double(self) -> str:
        """In double precision."""
        return self.graph.add("Cast", self.name, to=TensorProto.DOUBLE)


def as_whole(graph: Graph, mask: str) -> Whole:
    """1 where a mask is true, else 0."""
    return Whole(graph, graph.add("Cast", mask, to=INT64))


# The calendar

# The year begins in March, so that the day that some years lack is the last one; 400
# years are an era, after which all comes again. 719468 days lie between the first of
# March of the year 0 and 1970.


def month(local: Whole) -> Whole:
    """1 to 12, of microseconds since 1970."""
    day_of_era = (local // DAY + 719_468) % 146_097
    leap_days = day_of_era // 1460 - day_of_era // 36_524 + day_of_era // 146_096
    year_of_era = (day_of_era - leap_days) // 365
    before = year_of_era * 365 + year_of_era // 4 - year_of_era // 100
    since_march = ((day_of_era - before) * 5 + 2) // 153
    return (since_march + 2) % 12 + 1


def weekday(local: Whole) -> Whole:
    """0, Monday, to 6, of microseconds since 1970, which began on a Thursday."""
    return (local // DAY + 3) % 7


def hour(local: Whole) -> Whole:
    """0 to 23, of microseconds since 1970."""
    return local % DAY // HOUR


PARTS: dict[str, Callable[[Whole], Whole]] = {
    "month": month,
    "weekday": weekday,
    "hour": hour,
}
"""What the calendar says of a moment in local time."""


def midnight(year: Whole, month: Whole, day: Whole) -> Whole:
    """Microseconds since 1970 at the beginning of a day."""
    since_march = (month + 9) % 12
    year = year - since_march // 10
    era, year_of_era = year // 400, year % 400
    day_of_year = (since_march * 153 + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return (era * 146_097 + day_of_era - 719_468) * DAY


# Text

HAS_SECONDS = r"\s*[0-9-]{10}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}.*"
HAS_FRACTION = r".*\..*"
IS_AHEAD = r"\s*[0-9-]{10}[T ].*\+[0-9:]+\s*"
IS_BEHIND = r"\s*[0-9-]{10}[T ].*-[0-9:]+\s*"
IS_COMPACT = r".*[+-][0-9]{4}\s*"
"""What else a date by ISO 8601 may have; +0230 is a compact offset."""


class TextDates(NamedTuple):
    """Dates in text: microseconds since 1970, seconds ahead of UTC, and which are real.

    Moments are in UTC; where text names no zone, as if it were in UTC.
    """

    moments: Whole
    offsets: Whole
    are_real: str


def read_dates(graph: Graph, text: str) -> TextDates:
    """The dates in text (n_rows, 1) by ISO 8601."""
    has_form = matches(graph, text, DATE_PATTERN.pattern)
    epoch = np.array("1970-01-01", dtype=object)
    text = graph.add("Where", has_form, text, epoch)
    numbers = Digits(graph, text)
    has_seconds = as_whole(graph, matches(graph, text, HAS_SECONDS))
    has_fraction = matches(graph, text, HAS_FRACTION)
    year, month_, day, hour_, minute = (numbers.at(place) for place in range(5))
    second = numbers.at(5) * has_seconds
    of_day = hour_ * HOUR + minute * MINUTE + second * SECOND
    start = midnight(year, month_, day)
    first = has_seconds + as_whole(graph, has_fraction) + 5
    offsets = zone(graph, text, numbers.at(first), numbers.at(first + 1))
    fraction = numbers.fraction(6, has_fraction)
    moments = start + of_day + fraction - offsets * SECOND
    is_real = has_form
    for found, wanted in ((month(start), month_), (hour(of_day), hour_)):
        is_real = graph.add("And", is_real, found.equals(wanted))
    for found in (minute // 60, second // 60):
        is_real = graph.add("And", is_real, found.equals(0))
    return TextDates(moments, offsets, is_real)


def zone(graph: Graph, text: str, first: Whole, second: Whole) -> Whole:
    """Seconds ahead of UTC, from the two numbers of an offset, or one that is both."""
    is_ahead, is_behind, is_compact = (
        as_whole(graph, matches(graph, text, pattern))
        for pattern in (IS_AHEAD, IS_BEHIND, IS_COMPACT)
    )
    minutes_of_two = first * 60 + second
    minutes_of_one = first // 100 * 60 + first % 100
    minutes = minutes_of_two + (minutes_of_one - minutes_of_two) * is_compact
    return minutes * 60 * (is_ahead - is_behind)


class Digits:
    """The runs of digits in text (n_rows, 1), and zeros behind them."""

    def __init__(self, graph: Graph, text: str) -> None:
        self.graph = graph
        zeros = np.array(" 0" * 9, dtype=object)
        text = graph.add("StringConcat", text, zeros, since=TEXT_OPSET)
        self.runs = tokenized(graph, text, "0", tokenexp="[0-9]+")

    def at(self, place: int | Whole) -> Whole:
        """The number at one place, the same for all rows or not."""
        return Whole(self.graph, self.graph.add("Cast", self._run(place), to=INT64))

    def fraction(self, place: int, is_there: str) -> Whole:
        """Microseconds, from the digits behind a point; 0 where there is none."""
        graph = self.graph
        zero, point = np.array("0", dtype=object), np.array("0.", dtype=object)
        digits = graph.add("Where", is_there, self._run(place), zero)
        seconds = graph.add("StringConcat", point, digits, since=TEXT_OPSET)
        seconds = graph.add("Cast", seconds, to=TensorProto.DOUBLE)
        ticks = graph.add("Round", graph.add("Mul", seconds, np.array(float(SECOND))))
        return Whole(graph, graph.add("Cast", ticks, to=INT64))

    def _run(self, place: int | Whole) -> str:
        if isinstance(place, int):
            return self.graph.add("Gather", self.runs, ints(place), axis=1)
        return self.graph.add("GatherElements", self.runs, place.name, axis=1)
