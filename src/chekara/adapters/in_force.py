"""The part of the house that follows from the policy: made anew, whole, for every policy that is to serve."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime

from chekara.adapters.bundle_store import BundleStore, ServingChampions
from chekara.adapters.capacity_log import SqlCapacityLog
from chekara.adapters.chain_writer import now
from chekara.adapters.database import Database
from chekara.adapters.decision_log import SqlDecisionLog
from chekara.adapters.joint_action import JointAction, joint_action
from chekara.adapters.lot_seeds import ServingSeeds
from chekara.adapters.lot_watch import LotWatch
from chekara.adapters.profile_store import TransactionProfiles, serving_shelf
from chekara.adapters.promotions import SqlPromotions
from chekara.adapters.rule_results import RuleResults
from chekara.adapters.watch_lists import SqlWatchLists
from chekara.data.identity import EntityTokens
from chekara.domain.crossing import Crossing
from chekara.policy import Policy
from chekara.service.agency_mode import SetAgencyMode
from chekara.service.capacity import MeterFromLog
from chekara.service.grounds import GatherGrounds
from chekara.service.group import WriteGroup
from chekara.service.inspect import RecordInspections
from chekara.service.lot import DrawFromSeeds
from chekara.service.match_rules import FindAreas, MatchPolicyRules
from chekara.service.ports import LabelCipher
from chekara.service.profiles import FoldEvents
from chekara.service.promote import PromoteModel
from chekara.service.propose import ProposeModel
from chekara.service.ranks import RankWindows
from chekara.service.read import ReadDecisions
from chekara.service.records import ClockMode
from chekara.service.rehearse import RehearsePolicy
from chekara.service.score import ScoreCrossings
from chekara.settings import Settings


@dataclass(frozen=True, slots=True)
class InForce:
    """A policy, and what of the house follows from it.

    Attributes
    ----------
    policy : Policy
    write : WriteGroup
        What the writer does with a group of requests.
    grounds : GatherGrounds
        Rules, draws and capacity.
    capacity : MeterFromLog
    read : ReadDecisions
    joint : JointAction
        Reviews, referrals, delays.
    lot_watch : LotWatch
    promote : PromoteModel
    propose : ProposeModel
    """

    policy: Policy
    write: WriteGroup
    grounds: GatherGrounds
    capacity: MeterFromLog
    read: ReadDecisions
    joint: JointAction
    lot_watch: LotWatch
    promote: PromoteModel
    propose: ProposeModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundations:
    """What no policy changes: the log, what is known of entities, models, seeds, the stop buttons.

    Attributes
    ----------
    settings : Settings
    database : Database
    log : SqlDecisionLog
    cipher : LabelCipher
    tokens : EntityTokens
    profiles : FoldEvents
        Of the domains of the policy that the service began with.
    ranks : RankWindows
    champions : ServingChampions
    register : SqlPromotions
    store : BundleStore
    seeds : ServingSeeds
    set_mode : SetAgencyMode
    clock : {'live', 'replay'}
    example : Crossing or None
        What models and policies are rehearsed with.
    """

    settings: Settings
    database: Database
    log: SqlDecisionLog
    cipher: LabelCipher
    tokens: EntityTokens
    profiles: FoldEvents
    ranks: RankWindows
    champions: ServingChampions
    register: SqlPromotions
    store: BundleStore
    seeds: ServingSeeds
    set_mode: SetAgencyMode
    clock: ClockMode
    example: Crossing | None

    def under(self, policy: Policy) -> InForce:
        """Make what follows from a policy; its meter of capacity has not begun.

        Parameters
        ----------
        policy : Policy

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        """
        self.set_mode.know(policy)
        grounds, capacity = self._grounds(policy)
        score = ScoreCrossings(
            champions=self.champions,
            policy=policy,
            tokens=self.tokens,
            cipher=self.cipher,
            ranks=self.ranks,
            profiles=self.profiles,
            grounds=grounds,
            clock=self.clock,
        )
        record = RecordInspections(policy=policy, cipher=self.cipher, profiles=self.profiles, clock=self.clock)
        is_dev, register, store = self.settings.is_dev, self.register, self.store
        return InForce(
            policy=policy,
            write=WriteGroup(log=self.log, score=score, record=record),
            grounds=grounds,
            capacity=capacity,
            read=ReadDecisions(self.log, policy),
            joint=joint_action(self.database, self.log, policy, self.clock),
            lot_watch=LotWatch(self.database, policy, self.seeds),
            promote=PromoteModel(register=register, shelf=store, policy=policy, is_dev=is_dev),
            propose=ProposeModel(register=register, shelf=store, policy=policy, is_dev=is_dev),
        )

    def _grounds(self, policy: Policy) -> tuple[GatherGrounds, MeterFromLog]:
        areas = FindAreas(policy)
        results = RuleResults(self.database, policy.rules.rules)
        rules = MatchPolicyRules(policy, lists=SqlWatchLists(self.database), suspended=results.suspended)
        capacity = MeterFromLog(policy, SqlCapacityLog(self.database))
        grounds = GatherGrounds(
            rules=rules,
            lots=DrawFromSeeds(policy, self.seeds.of, areas),
            laid=rules.laid + areas.laid,
            capacity=capacity,
            without_models=self.set_mode.stopped,
        )
        return grounds, capacity

    def begin_capacity(self, inside: InForce) -> None:
        """Begin the meter of a policy from the log, so that the first crossing does not wait for it.

        Parameters
        ----------
        inside : InForce

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        """
        at = self.present()
        if at is not None:
            inside.capacity.begin(at)

    def present(self) -> datetime | None:
        """Return the present instant; on a replay clock that of the newest crossing, None before the first one."""
        return now() if self.clock == "live" else self.log.newest_scored_at()

    def why_not_hot(self, policy: Policy) -> str | None:
        """Return why a policy cannot take the place of one that serves while the service runs; None where it can."""
        if self.settings.policy_path is not None:
            return "CHEKARA_POLICY names another one: leave it out, or let it name the new one, and restart the service"
        if FoldEvents(tuple(policy.domains)).layout != self.profiles.layout:
            return "it has other risk domains, which need other profiles: restart the service, it makes them first"
        return None

    def rehearse(self, inside: InForce) -> None:
        """Decide the example under a policy; raises what keeps it from being decided."""
        if self.example is None:
            return
        profiles, example = self.profiles, self.example
        rehearse = RehearsePolicy(profiles=profiles, read_profiles=reader_of(self.database), example=example)
        at = self.present() or example.known_at
        rehearse(inside.policy, inside.grounds, self.champions.serving(), at)


def reader_of(database: Database) -> Callable[[], AbstractContextManager[TransactionProfiles]]:
    """Return what opens the profiles that serve, to read."""

    @contextmanager
    def read_profiles() -> Iterator[TransactionProfiles]:
        with database.reading() as connection:
            yield TransactionProfiles(serving_shelf(connection))

    return read_profiles
