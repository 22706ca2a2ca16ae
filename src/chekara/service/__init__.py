"""Use cases, one screen each, and the ports they need."""
