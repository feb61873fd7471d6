"""FAISS range searches over numpy rows in place.

FAISS's flat indexes own a copy of their vectors, so appending to one means copying it or changing
it under its readers. The functions they are made of take pointers: rows stay in numpy arrays.
"""

from collections.abc import Callable, Iterator

import faiss
import numpy as np
from numpy.typing import NDArray

from registry.matching.kernels import Vectors, tiles

type Search = Callable[[Vectors, Vectors, faiss.RangeSearchResult], None]
"""Collects, for C-contiguous queries and rows, the rows near each query."""

type Found = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]
"""Query numbers, row numbers, and FAISS's distance or product of each pair."""


def search_tiles(queries: Vectors, rows: Vectors, search: Search) -> Iterator[Found]:
    """Runs a range search tile by tile; yields what it finds in tiles with hits."""
    for some_queries, some_rows in tiles(len(queries), len(rows)):
        query_numbers, row_numbers, values = _search(queries[some_queries], rows[some_rows], search)
        if query_numbers.size:
            query_numbers += some_queries.start
            row_numbers += some_rows.start
            yield query_numbers, row_numbers, values


def _search(queries: Vectors, rows: Vectors, search: Search) -> Found:
    result = faiss.RangeSearchResult(len(queries))
    search(queries, rows, result)
    limits = faiss.rev_swig_ptr(result.lims, len(queries) + 1).astype(np.int64)
    hits = int(limits[-1])
    if not hits:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
    query_numbers = np.repeat(np.arange(len(queries), dtype=np.int64), np.diff(limits))
    row_numbers = faiss.rev_swig_ptr(result.labels, hits).astype(np.int64)  # copied, like all
    return query_numbers, row_numbers, faiss.rev_swig_ptr(result.distances, hits).copy()
