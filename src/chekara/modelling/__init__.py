"""What a model is, how it is fitted, calibrated, stored and verified."""
