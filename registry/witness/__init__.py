"""A small witness (C2SP tlog-witness): it remembers what a log said, and signs that it only grows.

Whoever runs one for a registry, an NGO for instance, makes it impossible for that registry to show
different logs to different people. It learns nothing: sizes and hashes.
"""
