"""Lockgate: a GitOps repository template for vLLM services and the gate that checks it."""

__version__ = "0.1.0"
