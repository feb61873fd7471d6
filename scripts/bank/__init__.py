"""Makes the specificity bank: fingerprints of public pictures, kept in `registry/matching/bank`.

    python -m scripts.bank --packages FOLDER

fetches Debian's packages into FOLDER (with `apt-get download`; or give a folder that has them),
takes pictures out of them and out of scikit-image, draws pages, forms, charts,
maps and patterns, and writes `bank-2.npz` and `bank-2.json`. Only fingerprints are kept.
"""
