"""Reasons behind a score: exact SHAP contributions, and the evidence that puts them into words."""

from chekara.explain.quadrature import QuadratureTreeShap

__all__ = ["QuadratureTreeShap"]
