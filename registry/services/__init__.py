"""One verb a module: what the registry does, over the rooms below and knowing no HTTP."""
