"""Cameras, videos, pictures in; videos, pictures and meshes out."""
