"""Data sets as rows of candidates: read one by one, and written again without the excluded.

`opening.open_source` looks at what a path holds; `folder`, `tar`, `parquet` and `delimited` read
and write one form each. Every pass over a source gives the same rows in the same order, in bounded
memory. Tables need the extra `consent-client[screen]`.
"""
