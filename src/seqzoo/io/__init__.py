"""Atomic files, and the manifests of runs."""
