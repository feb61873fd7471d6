"""The demonstration: real photographs, a real registry, the real client, and an honest page.

`make demo` runs it. Nothing in here is imported by the server or the client.
"""
