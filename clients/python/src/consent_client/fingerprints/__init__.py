"""Fingerprints of pictures and addresses, computed on this device.

`images` and `batches` are the way in. Needs the extra `consent-client[images]`; `sscd-1` also needs
`consent-client[sscd]`. `exact` and `url` need neither.
"""
