"""The compiled loops of `kernels.c`, where they were built; everything works without them.

`make` and `pip install` build them if there is a C compiler. The numbers are the same to the last
bit with and without, so nobody has to know; what differs is the time (`make bench` tells how much).
PIPELINE_NATIVE=0 in the environment leaves them out.
"""

import ctypes
import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np

from pipeline.model.arrays import Bools, Floats, Ids, Ints, Levels

INTERFACE = 3
"""Of the functions and structs below. A library that was built from another `kernels.c` is left
alone."""

_POINTER, _INT = ctypes.c_void_p, ctypes.c_int64

MAX_LENGTH = 6
"""`channel.MAX_LENGTH`: at one place may start a term of each length."""
MOST_COLUMNS = 128
"""Features that trees may ask about."""
MOST_TRIED = 6
"""`sites.MOST_TRIED`."""
FOUR = 4
"""Products of bytes that one instruction adds up: the tagger's weights lie in such groups."""
AT_ONCE = 4
"""Rows that the tagger's layers make at once."""

_ARGUMENTS: Mapping[str, tuple[Any, ...]] = {
    "log_probs": (_POINTER, _POINTER, _INT, _INT, _POINTER),
    "matches": (_POINTER, _POINTER, _INT, _POINTER, _INT, _POINTER, _POINTER),
    "promising": (*[_POINTER] * 6, _INT, _POINTER, ctypes.c_float, *[_POINTER] * 3),
    "windows": (*[_POINTER] * 5, _INT, _INT, _POINTER, _POINTER),
    "log_odds": (*[_POINTER] * 3, _INT, _INT, _POINTER, _INT, _INT, _POINTER),
    "tag": (*[_POINTER] * 3, _INT, *[_POINTER] * 3, ctypes.c_int32),
    "tags_here": (ctypes.c_int32,),
}
_RESULTS: Mapping[str, Any] = {"matches": _INT, "promising": _INT, "tags_here": ctypes.c_int32}


class Table(ctypes.Structure):
    """What `kernels.c` has to know of a `static_table`."""

    _fields_ = (("words", _POINTER), ("segment_bits", _INT), ("segments", _INT))


class Ngrams(ctypes.Structure):
    """Of the language model."""

    _fields_ = (
        ("table", Table),
        ("size", _INT),
        ("salts", _POINTER),
        ("log_prob", _POINTER),
        ("back_off", _POINTER),
        ("loss_of", _POINTER),
        ("backoff_of", _POINTER),
    )


class Channel(ctypes.Structure):
    """Of the channel."""

    _fields_ = (
        ("words", Table),
        ("lengths_of", _POINTER),
        ("n_terms", _INT),
        ("length", _POINTER),
        ("ids", _POINTER),
        ("last", _POINTER),
        ("frequency", _POINTER),
        ("pair_start", _POINTER),
        ("original", _POINTER),
        ("log_prior", _POINTER),
        ("is_listed", _POINTER),
    )


class Layer(ctypes.Structure):
    """Of the tagger."""

    _fields_ = (
        ("dilation", _INT),
        ("per_x", _POINTER),
        ("wide", _POINTER),
        ("wide_start", _POINTER),
        ("wide_size", _POINTER),
        ("bias", _POINTER),
        ("per_hidden", _POINTER),
        ("narrow", _POINTER),
        ("narrow_size", _POINTER),
        ("shift", _POINTER),
    )


class Tagger(ctypes.Structure):
    """The tagger."""

    _fields_ = (
        ("chars", _POINTER),
        ("chars_size", _POINTER),
        ("before", _POINTER),
        ("before_size", _POINTER),
        ("behind", _POINTER),
        ("behind_size", _POINTER),
        ("surprise", _POINTER),
        ("surprise_size", _POINTER),
        ("n_layers", _INT),
        ("layers", _POINTER),
        ("per_last", _POINTER),
        ("head", _POINTER),
        ("head_size", _POINTER),
        ("head_offset", _POINTER),
    )


class Held:
    """A struct and the arrays that it points into, which must live as long."""

    def __init__(
        self, kind: type[ctypes.Structure], fields: Mapping[str, Any], keeping: object = None
    ) -> None:
        self._kept = fields, keeping
        self.struct = kind(
            **{name: address(v) if isinstance(v, np.ndarray) else v for name, v in fields.items()}
        )
        self.address = ctypes.addressof(self.struct)


def address(array: Any) -> int:
    """Of the first entry of a contiguous array."""
    if not array.flags.c_contiguous:
        raise ValueError("an array for the compiled loops must be contiguous")
    return int(array.__array_interface__["data"][0])


def _loaded() -> ctypes.CDLL | None:
    spec = find_spec("pipeline.model._kernels")
    if os.environ.get("PIPELINE_NATIVE") == "0" or spec is None or spec.origin is None:
        return None
    try:
        library = ctypes.CDLL(spec.origin)
        if library.interface() != INTERFACE:
            return None
    except (OSError, AttributeError):  # built for another machine, or something else of that name
        return None
    for name, types in _ARGUMENTS.items():
        function = getattr(library, name)
        function.argtypes = types
        function.restype = _RESULTS.get(name)
    return library


library = _loaded()
"""None where nothing was built."""


def _library() -> ctypes.CDLL:
    if library is None:
        raise RuntimeError("the compiled loops were not built: ask `native.library` first")
    return library


def log_probs(model: Held, ids: Ids) -> Floats:
    """`NgramModel.log_probs`."""
    ids = np.ascontiguousarray(ids, dtype=np.uint16)
    scores = np.empty(ids.shape, dtype=np.float32)
    width = ids.shape[-1]
    if ids.size:
        _library().log_probs(model.address, address(ids), ids.size, width, address(scores))
    return scores


def matches(channel: Held, ids: Ids, places: Ints | None) -> tuple[Ints, Ints]:
    """`Channel.matches`: start and term of every occurrence."""
    ids = np.ascontiguousarray(ids, dtype=np.uint16)
    at = None if places is None else np.ascontiguousarray(places, dtype=np.int64)
    n = len(ids) if at is None else len(at)
    start, term = (np.empty(n * MAX_LENGTH, dtype=np.int64) for _ in range(2))
    found = _library().matches(
        channel.address,
        address(ids),
        len(ids),
        None if at is None else address(at),
        n,
        address(start),
        address(term),
    )
    return start[:found].copy(), term[:found].copy()


def promising(
    model: Held,
    channel: Held,
    ids: Ids,
    spans: tuple[Ints, Ints, Ints],
    suspected: Bools | None,
    hopeless: float,
) -> tuple[Bools, Ints, Ints]:
    """`sites.promising`, given start, end and term of each site."""
    ids = np.ascontiguousarray(ids, dtype=np.uint16)
    start, end, term = (np.ascontiguousarray(a, dtype=np.int64) for a in spans)
    marked = None if suspected is None else np.ascontiguousarray(suspected)
    n = len(start)
    hopeful = np.empty(n, dtype=np.bool_)
    site, pair = (np.empty(n * MOST_TRIED, dtype=np.int64) for _ in range(2))
    found = _library().promising(
        model.address,
        channel.address,
        address(ids),
        address(start),
        address(end),
        address(term),
        n,
        None if marked is None else address(marked),
        hopeless,
        address(hopeful),
        address(site),
        address(pair),
    )
    if found < 0:
        raise ValueError("a surface has more than 1,024 originals")
    return hopeful, site[:found].copy(), pair[:found].copy()


def windows(
    model: Held, ids: Ids, start: Ints, end: Ints, originals: Ids, length: int
) -> tuple[Floats, Floats]:
    """`sites._windows`, for ``originals`` of that ``length`` in rows of `channel.MAX_LENGTH`."""
    ids = np.ascontiguousarray(ids, dtype=np.uint16)
    start, end = (np.ascontiguousarray(a, dtype=np.int64) for a in (start, end))
    originals = np.ascontiguousarray(originals, dtype=np.uint16)
    inside, behind = (np.empty(len(start), dtype=np.float32) for _ in range(2))
    _library().windows(
        model.address,
        address(ids),
        address(start),
        address(end),
        address(originals),
        len(start),
        length,
        address(inside),
        address(behind),
    )
    return inside, behind


def tree_log_odds(feature: Any, threshold: Floats, value: Floats, rows: Floats) -> Floats:
    """`Trees.log_odds`."""
    if rows.shape[1] > MOST_COLUMNS:
        raise ValueError(f"{rows.shape[1]} features are more than {MOST_COLUMNS}")
    feature = np.ascontiguousarray(feature, dtype=np.int16)
    threshold, value = (np.ascontiguousarray(a, dtype=np.float32) for a in (threshold, value))
    rows = np.ascontiguousarray(rows, dtype=np.float32)
    score = np.empty(len(rows), dtype=np.float32)
    n_trees, depth = feature.shape
    _library().log_odds(
        address(feature),
        address(threshold),
        address(value),
        n_trees,
        depth,
        address(rows),
        len(rows),
        rows.shape[1],
        address(score),
    )
    return score


def grouped(weights: Any) -> Any:
    """Weights of the tagger, ``(rows, columns)``, as ``(rows / FOUR, columns, FOUR)``."""
    rows, columns = weights.shape
    return np.ascontiguousarray(weights.reshape(rows // FOUR, FOUR, columns).transpose(0, 2, 1))


def tags_here(*, narrow: bool = False) -> bool:
    """Whether `tag` can be called: whether there is a library, and the processor has what it takes.

    With ``narrow``, whether it has at least what older ones have.
    """
    return library is not None and bool(library.tags_here(narrow))


def tag(
    tagger: Held,
    ids: Ids,
    surprise: Levels,
    width: int,
    gap: int,
    heads: int,
    *,
    narrow: bool = False,
) -> Floats:
    """`Tagger._window`, with the widest instructions that there are, or the narrower ones."""
    ids = np.ascontiguousarray(ids, dtype=np.uint16)
    surprise = np.ascontiguousarray(surprise, dtype=np.uint8)
    n = len(ids)
    x = np.empty((n, width), dtype=np.float32)
    steps = np.empty((n + 2 * gap + AT_ONCE, width), dtype=np.uint8)
    scores = np.empty((n, heads), dtype=np.float32)
    if n:
        places = (address(array) for array in (x, steps, scores))
        _library().tag(tagger.address, address(ids), address(surprise), n, *places, narrow)
    return scores
