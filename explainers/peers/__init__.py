"""Explainers of other libraries, run by the library's own code on the user's model."""
