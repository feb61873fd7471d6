"""Which of many codes or vectors lie near a given one: a fixed radius, arrays in, numbers out.

Structures are built once and searched by any number of threads. What they do in inner loops is
compiled by numba when it is first used, which takes seconds; `binary.warm` does it beforehand.
Needs the extra `search`.
"""
