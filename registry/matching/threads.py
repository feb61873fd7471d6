"""Threads that search: one core each."""

import faiss


def one_faiss_thread() -> None:
    """Makes FAISS use one core in the calling thread: the initializer of an executor's threads.

    FAISS's setting belongs to the thread that makes it. Without it every search would start as
    many threads as there are cores, and two blocks at once would get in each other's way.
    """
    faiss.omp_set_num_threads(1)
