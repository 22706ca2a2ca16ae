"""History in: the column contract, files, checks and labels as known at an instant."""
