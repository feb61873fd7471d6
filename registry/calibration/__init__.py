"""The field measurement: the whole registry against a random sample of a real data set.

The operator's own command, `consent-registry calibrate`; nothing that serves imports this. It reads
the store with the keys, as a serving process does, and follows the log while it works: a record
that is withdrawn meanwhile leaves its memory too.

| module | holds |
|---|---|
| `sample` | the images: the only module of the server that computes fingerprints of pictures |
| `matching` | what a portion of the sample matches, under every policy |
| `journal` | which portions were matched, and the hits; never a fingerprint or a similarity |
| `run` | both together, resumed after an interruption |
| `sheet` | the hits as a page to look at, and the list to fill in |
| `review` | what was filled in |
| `result` | counts, rates and intervals; records with more false hits than their quota |
| `interval` | Clopper and Pearson's interval |
"""
