"""How models are made: `python -m training.train` and its siblings. Short programs over `chekara`."""
