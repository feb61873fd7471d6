"""The database: engine, tables, migrations and repositories.

Repositories are functions on an `AsyncConnection` out of `Store.read` or `Store.write`; what they
return are frozen values. They know nothing of keys, fingerprints or GraphQL: bytes in, bytes out.
"""
