"""Optimisation of head models against normals. torch is allowed here, never on the live path."""
