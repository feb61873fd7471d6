"""Screening a whole data set: what `consent screen` does, for programs.

    from pathlib import Path
    from consent_client.adapters.opening import open_source
    from consent_client.builder import Builder
    from consent_client.protocol.statements import Use
    from consent_client.screening.plan import Order
    from consent_client.screening.run import screen_source

    order = Order(dataset="holidays", use=Use.AI_GENERATIVE_TRAINING)
    with Builder("https://registry.example", token=token) as builder:
        summary = screen_source(builder, open_source("holidays/"), order, Path("out"))

| module | holds |
|---|---|
| `plan` | what is asked, fixed at the start and compared when a run is resumed |
| `journal` | which blocks were answered, and how; never a fingerprint |
| `run` | fingerprints, blocks, answers |
| `results` | the kept set, the exclusions and the summary, written when all is answered |
"""
