"""Decoding: greedy search, samplers, and the loop that continues a text."""
