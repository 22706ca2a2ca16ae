"""How models are made: `python -m training.train` and its siblings. Short programs over `chekara`."""

import warnings

# The logistic baseline is cut at 300 steps on purpose; whoever trains can do nothing about it. The filter is set once
# and for the whole program, since setting it around a fit is not safe while another domain is fitted in a thread.
warnings.filterwarnings("ignore", message="lbfgs failed to converge after 300 iteration", category=UserWarning)
