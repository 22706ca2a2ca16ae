"""How good a ranking and its probabilities are, from plain arrays.

``ranking`` has the statistics of a ranking, ``bootstrap`` their intervals, ``calibration`` the honesty of the
probabilities, ``report`` what a person reads and ``plots`` what a person looks at. Nothing here knows a model,
a table or a database: arrays and ``chekara.errors`` only.
"""
