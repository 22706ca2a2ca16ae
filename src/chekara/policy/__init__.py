"""Scores to lanes and controls: pure and replayable."""

from chekara.policy.decide import LaneDecision, decide, strictest_lanes
from chekara.policy.load import load_policy
from chekara.policy.policy import Agencies, Policy

__all__ = ["Agencies", "LaneDecision", "Policy", "decide", "load_policy", "strictest_lanes"]
