"""Columns of text as nodes: taken apart, counted, weighed, and summed up."""

import itertools
import re
import sys
from collections.abc import Iterable, Sequence

import numpy as np
from onnx import TensorProto

from skmlp.onnx.graph import TEXT_OPSET, Graph, ints, looked_up, single, tokenized
from skmlp.onnx.numbers import smooth_scale
from skmlp.tabular.text import ANALYZERS, TextBlock

WORD = r"[\p{L}\p{N}_]+|[^\p{L}\p{N}_\s\p{Z}\x0b\x1c-\x1f\x{85}]"
r"""What Python calls \w+|[^\w\s], in the syntax of RE2."""

END = " \ue000"
"""A mark of no text, so that there is one also where all texts are empty."""

OTHER, SPACE = 0, 1
"""Numbers of characters that are in no term, and of those between words."""

MOST_CAPITALS = 4
"""Letters of a word beyond ASCII that are all known in either case."""


def text(graph: Graph, x: str, column: TextBlock) -> str:
    """What is told of text (n_rows, 1), an output per column, in double precision."""
    tokens, grams = TAKE_APART[column.unit](graph, x, column.terms)
    counts = counted(graph, tokens, grams)
    logarithm = graph.add("Add", graph.add("Log", counts), single(1))
    weight = graph.add("Mul", logarithm, single(column.idf))
    is_there = graph.add("Greater", counts, single(0))
    weight = graph.add("Where", is_there, weight, single(0))
    squares = graph.add("Mul", weight, weight)
    length = graph.add("Sqrt", graph.add("ReduceSum", squares, ints(1)))
    outputs = graph.add("MatMul", weight, column.weights)
    # no term at all: 0 divided by the smallest number
    length = graph.add("Max", length, single(np.finfo(np.float32).tiny))
    outputs = graph.add("Div", outputs, length)
    outputs = graph.add("Cast", outputs, to=TensorProto.DOUBLE)
    return smooth_scale(graph, outputs, column.scale)


def counted(graph: Graph, tokens: str, grams: Sequence[Sequence[int]]) -> str:
    """How often each run of tokens comes, a column per run."""
    order = sorted(range(len(grams)), key=lambda place: len(grams[place]))
    lengths = [len(grams[place]) for place in order]
    longest = lengths[-1]
    # where the runs of each length begin in the line of all
    starts = [
        sum(length for length in lengths if length < size)
        for size in range(1, longest + 1)
    ]
    return graph.add(
        "TfIdfVectorizer",
        tokens,
        mode="TF",
        min_gram_length=lengths[0],
        max_gram_length=longest,
        max_skip_count=0,
        ngram_counts=starts,
        ngram_indexes=order,
        pool_int64s=[token for place in order for token in grams[place]],
    )


# Words


def words(
    graph: Graph, x: str, terms: Sequence[str]
) -> tuple[str, list[tuple[int, ...]]]:
    """Numbers of the words and marks of each row, and the terms in such numbers."""
    pieces = [term.split(" ") for term in terms]
    known = sorted(set(itertools.chain.from_iterable(pieces)))
    number_of = {word: number for number, word in enumerate(known, start=1)}
    forms = {form: number_of[word] for word in known for form in with_capitals(word)}
    ended = graph.add("StringConcat", x, np.array(END, object), since=TEXT_OPSET)
    found = tokenized(graph, ended, "", tokenexp=WORD)
    # which locales a machine has is not known, but for this one
    line = graph.add("Reshape", found, ints(-1))
    line = graph.add("StringNormalizer", line, case_change_action="LOWER", locale="C")
    keys, numbers = np.array(list(forms), object), np.array(list(forms.values()))
    line = looked_up(graph, line, keys, numbers, OTHER)
    tokens = graph.add("Reshape", line, graph.add("Shape", found))
    return tokens, [tuple(number_of[word] for word in piece) for piece in pieces]


def with_capitals(word: str) -> Iterable[str]:
    """The forms of a word that differ in the case of letters beyond ASCII."""
    forms = [
        (letter, letter.upper())
        if not letter.isascii() and len(letter.upper()) == 1
        else (letter,)
        for letter in word
    ]
    n_capitals = sum(len(set(pair)) - 1 for pair in forms)
    if n_capitals > MOST_CAPITALS:
        # of long words only those of a name, a sentence's beginning, and a headline
        capitals = "".join(pair[-1] for pair in forms)
        return [word, capitals[0] + word[1:], capitals]
    return map("".join, itertools.product(*map(dict.fromkeys, forms)))


def is_lowered(text: str, unit: str) -> bool:
    """Return True if a graph finds the lower case of text as Python does."""
    if text.isascii():
        return True
    if unit == "characters":
        # letter by letter, of which this one becomes two
        return "\u0130" not in text
    return all(
        lowered_ascii(word) in with_capitals(word.lower())
        for word in re.findall(r"\w+", text)
    )


def lowered_ascii(word: str) -> str:
    """The word with the letters of ASCII in lower case."""
    return word.encode().lower().decode()


# Characters


def characters(
    graph: Graph, x: str, terms: Sequence[str]
) -> tuple[str, list[tuple[int, ...]]]:
    """Numbers of the characters of each row, and the terms in such numbers.

    A single space stands between words, and before and behind all: no term has one
    within, so that all runs that are terms are within a word and the spaces around it.
    """
    alphabet = sorted(set("".join(terms)) - {" "})
    number_of = {letter: number for number, letter in enumerate(alphabet, start=2)}
    number_of[" "] = SPACE
    spaced = graph.add("StringConcat", np.array(" ", object), x, since=TEXT_OPSET)
    found = tokenized(graph, spaced, " ", separators=[""])
    longest = ANALYZERS["characters"].longest
    found = graph.add("Slice", found, ints(0), ints(1 + longest), ints(1))
    keys, numbers = keys_and_numbers(number_of)
    line = looked_up(graph, found, keys, numbers, OTHER)
    line = graph.add("Pad", line, ints(0, 0, 0, 1), np.array(SPACE))
    grams = [tuple(number_of[letter] for letter in term) for term in terms]
    return without_repeated_spaces(graph, line), grams


def keys_and_numbers(number_of: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """All characters that count as one of these, in either case, and any space."""
    pairs = [
        (letter, SPACE if letter.isspace() else number_of[letter.lower()])
        for letter in map(chr, range(sys.maxunicode + 1))
        if letter.isspace() or letter.lower() in number_of
    ]
    letters, numbers = zip(*pairs, strict=True)
    return np.array(letters, object), np.array(numbers)


def without_repeated_spaces(graph: Graph, line: str) -> str:
    """Rows in which the spaces that follow a space are left out; zeros come behind."""
    is_space = graph.add("Equal", line, np.array(SPACE))
    is_space = graph.add("Cast", is_space, to=TensorProto.INT64)
    before = graph.add("Slice", is_space, ints(0), ints(-1), ints(1))
    before = graph.add("Pad", before, ints(0, 1, 0, 0))
    is_kept = graph.add("Sub", np.array(1), graph.add("Mul", is_space, before))
    place = graph.add("Sub", graph.add("CumSum", is_kept, np.array(1)), np.array(1))
    zeros = graph.add("Mul", line, np.array(0))
    # a space that is left out is written again to the place of the one before it
    return graph.add("ScatterElements", zeros, place, line, axis=1)


TAKE_APART = {"words": words, "characters": characters}
"""By unit: how text is taken apart."""
