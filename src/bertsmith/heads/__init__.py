"""Vectors -> scores."""

from bertsmith.heads.linear import Linear, LinearHead

__all__ = ["Linear", "LinearHead"]
