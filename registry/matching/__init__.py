"""Fixed-radius matching: plain vectors in, ids of records out. Nothing here touches a disk."""
