"""The auditor: verifies logs, receipts and certificates from files or over the web.

It needs no server code, no pictures and no models, and believes only signatures and hashes. What it
says is a `Report`: what is verified, what is bounded, and what nobody can verify from outside.
"""
