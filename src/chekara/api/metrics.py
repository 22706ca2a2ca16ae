"""What the service tells Prometheus about itself: counts and times, never a value of a crossing."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

# Around the promise: most answers within tens of milliseconds, none after two seconds.
_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_GROUP_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """All series of one serving process, in a registry of their own so that two services never mix.

    Attributes
    ----------
    requests : Counter
        By method, route (its template, so that ids never become labels) and status.
    request_seconds : Histogram
        From the first byte of the request to the last of the answer, by route.
    decisions : Counter
        Decisions told, by lane and log (``live``, ``test``); a repeated request counts again.
    group_size : Histogram
        Crossings committed with one fsync.
    refused : Counter
        Crossings and results, rows of batches included, that were refused at the door, by error code:
        ``too_many_requests``, ``deadline_exceeded`` (no answer could come in time), ``not_ready``, ``unavailable``.
    expired : Counter
        Crossings and results that were taken and never served, by why: ``too_late`` or ``given_up``.
    queue_depth : Gauge
        Requests that wait for the writer.
    log_position : Gauge
        Newest position of the log, by chain.
    model : Gauge
        1 for each serving (domain, version, digest).
    ready : Gauge
        1 when crossings can be scored.
    lot_draws : Gauge
        1 while the lot draws: a seed is committed for this month.
    lot_alarm : Gauge
        1 for each alarm of the lot (code, domain, crossing point): too few of its draws are done.
    policy : Gauge
        1 for the policy that serves (name, digest).
    policy_refused : Gauge
        1 where the policy that was promoted last cannot serve: ``/readyz`` tells why.
    without_models : Gauge
        1 for each agency that has stopped the models.
    capacity_budget, capacity_used, capacity_expected : Gauge
        Controls of the present shift, those asked for, and crossings still to come, by agency, crossing point and lane.
    referral_overdue_share : Gauge
        Share of an agency's deadlines of referrals, of the last thirty days, that it missed, in [0, 1].
    referral_deadlines : Gauge
        Of how many deadlines that is a share.
    referrals_waiting : Gauge
        Referrals that an agency has in hand now.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "chekara_requests", "Answered requests", ["method", "route", "status"], registry=self.registry
        )
        self.request_seconds = Histogram(
            "chekara_request_seconds", "Time to answer", ["route"], buckets=_SECONDS, registry=self.registry
        )
        self.decisions = Counter("chekara_decisions", "Decisions told", ["lane", "chain"], registry=self.registry)
        self.group_size = Histogram(
            "chekara_commit_group_size", "Crossings per commit", buckets=_GROUP_SIZES, registry=self.registry
        )
        self.refused = Counter("chekara_refused", "Refused at the door", ["code"], registry=self.registry)
        self.expired = Counter("chekara_expired", "Taken and never served", ["why"], registry=self.registry)
        self.queue_depth = Gauge("chekara_queue_depth", "Requests that wait for the writer", registry=self.registry)
        self.log_position = Gauge("chekara_log_position", "Newest log position", ["chain"], registry=self.registry)
        self.model = Gauge(
            "chekara_model_serving", "Models that serve", ["domain", "version", "digest"], registry=self.registry
        )
        self.policy = Gauge("chekara_policy_serving", "Policy that serves", ["name", "digest"], registry=self.registry)
        self.policy_refused = Gauge(
            "chekara_policy_refused", "Whether the policy promoted last cannot serve", registry=self.registry
        )
        self.ready = Gauge("chekara_ready", "Whether crossings can be scored", registry=self.registry)
        self.lot_draws = Gauge("chekara_lot_draws", "Whether the lot draws", registry=self.registry)
        self.lot_alarm = Gauge(
            "chekara_lot_alarm",
            "Too few draws of the lot are done",
            ["code", "domain", "crossing_point"],
            registry=self.registry,
        )
        self.referral_overdue_share = Gauge(
            "chekara_referral_overdue_share", "Share of deadlines missed", ["agency"], registry=self.registry
        )
        self.referral_deadlines = Gauge(
            "chekara_referral_deadlines", "Deadlines kept or missed", ["agency"], registry=self.registry
        )
        self.referrals_waiting = Gauge(
            "chekara_referrals_waiting", "Referrals in hand", ["agency"], registry=self.registry
        )
        self.without_models = Gauge(
            "chekara_agency_without_models", "Agencies that have stopped the models", ["agency"], registry=self.registry
        )
        place = ["agency", "crossing_point", "lane"]
        self.capacity_budget = Gauge(
            "chekara_capacity_budget", "Controls of the present shift", place, registry=self.registry
        )
        self.capacity_used = Gauge("chekara_capacity_used", "Controls asked for", place, registry=self.registry)
        self.capacity_expected = Gauge(
            "chekara_capacity_expected", "Crossings still to come in the shift", place, registry=self.registry
        )

    def exposition(self) -> bytes:
        """Return all series in Prometheus' text format."""
        return generate_latest(self.registry)
