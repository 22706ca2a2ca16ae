"""From scores to a lane: pure and replayable."""
