"""Nodes of text columns: tokens, term counts, TF-IDF, and projection to components."""

import itertools
import re
import sys
from collections.abc import Iterable, Sequence

import numpy as np
from onnx import TensorProto

from skmlp.onnx.graph import TEXT_OPSET, Graph, as_float32, as_int64
from skmlp.tabular.text import ANALYZERS, TextBlock

WORD = r"[\p{L}\p{N}_]+|[^\p{L}\p{N}_\s\p{Z}\x0b\x1c-\x1f\x{85}]"
r"""Python's \w+|[^\w\s] in the syntax of RE2."""

END = " \ue000"  # after each text, since the tokenizer fails where all are empty
OTHER, SPACE = 0, 1  # tokens of unknown characters or words, and of spaces
MOST_CAPITALS = 4  # letters beyond ASCII, up to which all capitalizations are listed


def add_text(graph: Graph, x: str, column: TextBlock) -> str:
    """Add the nodes from text (n_rows, 1) to unscaled components, in doubles."""
    # (n_rows, n_tokens), then (n_rows, n_terms)
    tokens, terms = TOKENIZERS[column.analyzer](graph, x, column.terms)
    counts = _add_counts(graph, tokens, terms)
    # sublinear term frequency: 1 + log(count), where the count is not 0
    frequency = graph.add("Add", graph.add("Log", counts), as_float32(1))
    weight = graph.add("Mul", frequency, as_float32(column.idf))
    is_there = graph.add("Greater", counts, as_float32(0))
    weight = graph.add("Where", is_there, weight, as_float32(0))
    # L2 norm of each row, (n_rows, 1); dividing after the product handles fewer numbers
    squares = graph.add("Mul", weight, weight)
    norm = graph.add("Sqrt", graph.add("ReduceSum", squares, as_int64(1)))
    # projection of truncated SVD: (n_terms, n_components)
    components = graph.add("MatMul", weight, column.weights)
    # 0 / tiny = 0 where a text has no term
    norm = graph.add("Max", norm, as_float32(np.finfo(np.float32).tiny))
    components = graph.add("Div", components, norm)
    return graph.add("Cast", components, to=TensorProto.DOUBLE)


def _add_counts(graph: Graph, tokens: str, terms: Sequence[Sequence[int]]) -> str:
    """Count the terms, which are n-grams of tokens, in each row."""
    order = sorted(range(len(terms)), key=lambda place: len(terms[place]))
    lengths = [len(terms[place]) for place in order]
    # the pool holds all terms, the shortest first; starts has where each length begins
    starts = [
        sum(length for length in lengths if length < size)
        for size in range(1, lengths[-1] + 1)
    ]
    return graph.add(
        "TfIdfVectorizer",
        tokens,
        mode="TF",
        min_gram_length=lengths[0],
        max_gram_length=lengths[-1],
        max_skip_count=0,
        ngram_counts=starts,
        ngram_indexes=order,
        pool_int64s=[token for place in order for token in terms[place]],
    )


def _tokenize_words(
    graph: Graph, x: str, terms: Sequence[str]
) -> tuple[str, list[tuple[int, ...]]]:
    """Add the tokens of each row's words and marks; return terms as tokens, too."""
    # a term is a word, or two words with a space between them
    pieces = [term.split(" ") for term in terms]
    known = sorted(set(itertools.chain.from_iterable(pieces)))
    tokens = {word: token for token, word in enumerate(known, start=1)}
    forms = {
        form: tokens[word] for word in known for form in _list_capitalizations(word)
    }
    ended = graph.add("StringConcat", x, np.array(END, object), since=TEXT_OPSET)
    found = graph.tokenize(ended, "", tokenexp=WORD)
    # StringNormalizer takes one axis; only the locale "C" is there on every machine,
    # which lowers ASCII, so the table has the capitals of other letters
    line = graph.add("Reshape", found, as_int64(-1))
    line = graph.add("StringNormalizer", line, case_change_action="LOWER", locale="C")
    # words in no term become OTHER, which keeps their neighbors apart
    keys, values = np.array(list(forms), object), np.array(list(forms.values()))
    line = graph.look_up(line, keys, values, OTHER)
    found = graph.add("Reshape", line, graph.add("Shape", found))
    return found, [tuple(tokens[word] for word in piece) for piece in pieces]


def _list_capitalizations(word: str) -> Iterable[str]:
    """List the forms of a word that differ in the case of letters beyond ASCII."""
    forms = [
        (letter, letter.upper())
        if not letter.isascii() and len(letter.upper()) == 1
        else (letter,)
        for letter in word
    ]
    n_capitals = sum(len(set(pair)) - 1 for pair in forms)
    if n_capitals > MOST_CAPITALS:
        # lower case, first letter, and all letters of longer words
        capitals = "".join(pair[-1] for pair in forms)
        return [word, capitals[0] + word[1:], capitals]
    return map("".join, itertools.product(*map(dict.fromkeys, forms)))


def is_lowered_by_graph(text: str, unit: str) -> bool:
    """Return True if the graph finds the same lower case of text as Python."""
    if text.isascii():
        return True
    if unit == "characters":
        # a graph maps letter by letter, and this one becomes two
        return "\u0130" not in text
    return all(
        # bytes.lower() lowers ASCII alone
        word.encode().lower().decode() in _list_capitalizations(word.lower())
        for word in re.findall(r"\w+", text)
    )


def _tokenize_characters(
    graph: Graph, x: str, terms: Sequence[str]
) -> tuple[str, list[tuple[int, ...]]]:
    """Add the tokens of each row's characters; return terms as tokens, too.

    One space stands before, between and after words. No term has a space within, so
    n-grams that are terms lie within a word and the spaces around it.
    """
    alphabet = sorted(set("".join(terms)) - {" "})
    tokens = {letter: token for token, letter in enumerate(alphabet, start=2)}
    tokens[" "] = SPACE
    spaced = graph.add("StringConcat", np.array(" ", object), x, since=TEXT_OPSET)
    found = graph.tokenize(spaced, " ", separators=[""])
    # no more characters than the encoder reads, after the space in front
    end = as_int64(1 + ANALYZERS["characters"].longest)
    found = graph.add("Slice", found, as_int64(0), end, as_int64(1))
    # every character of Unicode that is a space, or a known letter in either case
    table = {
        letter: SPACE if letter.isspace() else tokens[letter.lower()]
        for letter in map(chr, range(sys.maxunicode + 1))
        if letter.isspace() or letter.lower() in tokens
    }
    keys, values = np.array(list(table), object), np.array(list(table.values()))
    line = graph.look_up(found, keys, values, OTHER)
    # a space after the last word
    line = graph.add("Pad", line, as_int64(0, 0, 0, 1), np.array(SPACE))
    grams = [tuple(tokens[letter] for letter in term) for term in terms]
    return _drop_repeated_spaces(graph, line), grams


def _drop_repeated_spaces(graph: Graph, line: str) -> str:
    """Add nodes that drop spaces after a space; zeros fill the end of each row."""
    # (n_rows, n_characters): 1 where a space follows a space
    is_space = graph.add("Equal", line, np.array(SPACE))
    is_space = graph.add("Cast", is_space, to=TensorProto.INT64)
    before = graph.add("Slice", is_space, as_int64(0), as_int64(-1), as_int64(1))
    before = graph.add("Pad", before, as_int64(0, 1, 0, 0))
    is_kept = graph.add("Sub", np.array(1), graph.add("Mul", is_space, before))
    # each token moves to the number of kept ones before it; a dropped space is written
    # over the space before it
    place = graph.add("Sub", graph.add("CumSum", is_kept, np.array(1)), np.array(1))
    zeros = graph.add("Mul", line, np.array(0))
    return graph.add("ScatterElements", zeros, place, line, axis=1)


TOKENIZERS = {"words": _tokenize_words, "characters": _tokenize_characters}
"""Tokenizer of each unit."""
