"""Synthetic data: heads, looks, light and cameras, drawn with everything a network is to learn."""
