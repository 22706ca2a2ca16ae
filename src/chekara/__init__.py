"""Chekara: risk profiling for border crossings.

It scores movements, never people; it recommends and never decides. See ``docs/architecture.md`` for the map.
"""

__version__ = "0.1.0"
