"""Scores to lanes and controls: pure and replayable."""

from chekara.policy.decide import LaneDecision, decide, lanes_by_domain
from chekara.policy.load import load_policy
from chekara.policy.policy import Agencies, Policy

__all__ = ["Agencies", "LaneDecision", "Policy", "decide", "lanes_by_domain", "load_policy"]
