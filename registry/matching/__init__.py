"""Which registered fingerprints lie near a given one: plain vectors in, ids out."""
