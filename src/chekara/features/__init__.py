"""The only feature code: what a feature is, and how it is computed, for ten million rows or for one."""
