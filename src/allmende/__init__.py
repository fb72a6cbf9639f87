"""Allmende: a hub for open AI models that anyone can run."""

__all__ = ["__version__"]

__version__ = "0.1.0"
