"""Suites: samples with known truth, made here or read from a data set that the user has."""
