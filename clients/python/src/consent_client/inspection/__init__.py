"""Audits that look at pictures: samples of what is shipped, and canaries. Need `[images]`."""
