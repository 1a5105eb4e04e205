"""The n2fnet engine: images in, head-model parameters out. No Qt, no app, no print."""

from engine.blas_kernels import name_kernels

name_kernels()  # here, as numpy must not have been imported yet
