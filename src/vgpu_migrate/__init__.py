"""Where each VM with an NVIDIA vGPU may go, in which state, and what exactly stops it elsewhere."""

__version__ = "0.1.0"
