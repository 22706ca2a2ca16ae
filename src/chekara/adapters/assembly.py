"""Put the house together: the one place that knows which adapter stands behind which port."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chekara.adapters.accounts import Accounts
from chekara.adapters.agency_modes import SqlAgencyModes
from chekara.adapters.audit_source import SqlAuditSource
from chekara.adapters.bundle_store import BundleStore, ServingChampions
from chekara.adapters.chain_writer import Clock, now
from chekara.adapters.checkpoints import CheckpointBook, checkpoint_file, read_checkpoints, signed_after
from chekara.adapters.database import Database, open_database
from chekara.adapters.decision_log import SqlDecisionLog
from chekara.adapters.in_force import Foundations, reader_of
from chekara.adapters.joint_action import JointAction
from chekara.adapters.key_files import load_checkpoint_key, load_checkpoint_public_key, load_label_key
from chekara.adapters.label_cipher import AesLabelCipher
from chekara.adapters.loaded_histories import LoadedHistories
from chekara.adapters.lot_seeds import LotBook, ServingSeeds
from chekara.adapters.lot_watch import LotWatch
from chekara.adapters.policies import SqlPolicies, policy_that_serves, serving_policy
from chekara.adapters.policy_swap import PolicySwap
from chekara.adapters.profile_load import catch_up, is_of_other_layout
from chekara.adapters.profile_upgrade import ProfileUpgrade
from chekara.adapters.promotions import SqlPromotions
from chekara.adapters.write_probe import WriteProbe
from chekara.data.identity import EntityTokens, load_entity_secret
from chekara.domain.crossing import Crossing
from chekara.errors import ConfigurationError, UnavailableError
from chekara.policy import Policy, load_policy
from chekara.service.agency_mode import SetAgencyMode
from chekara.service.audit import AuditReport, verify_log
from chekara.service.capacity import MeterFromLog
from chekara.service.champions import Champions
from chekara.service.due_clock import DueClock
from chekara.service.profiles import FoldEvents
from chekara.service.promote import PromoteModel
from chekara.service.ranks import RankWindows
from chekara.service.read import ReadDecisions
from chekara.service.records import ClockMode, Promotion, Proposal
from chekara.service.rehearse import RehearseModels
from chekara.service.review import RecordReview
from chekara.service.roll_back import RollBackModel
from chekara.service.writer import GroupCommitWriter
from chekara.settings import Settings


@dataclass(frozen=True, slots=True)
class House:
    """Everything that a serving process uses. What follows from the policy is always that of the one that serves now.

    Attributes
    ----------
    accounts : Accounts
        ``actor_for_key``.
    writer : GroupCommitWriter
        ``submit(ScoreRequest)``, ``submit(InspectionRequest)``.
    policies : PolicySwap
        Which policy serves, and why one that was promoted does not.
    champions : Champions
        Which models serve; empty: not ready.
    lots : LotBook
        Seeds of the lot, committed and published.
    set_mode : SetAgencyMode
        The stop button of an agency.
    preparing : callable
        Why nothing can be scored yet, with progress, or None.
    unwritable : callable
        Why decisions could not be logged right now, or None; blocks up to a second.
    bundle_folder : callable
        Where the bundle of a digest lies.
    proposals : callable
        Open proposals, oldest first; reads the log.
    roll_back : callable
        `RollBackModel`; the model serves before it returns, if it can.
    refresh : callable
        Loads models that were promoted since.
    close : callable
        Drain the writer, sign a last checkpoint, close the database.
    """

    accounts: Accounts
    writer: GroupCommitWriter
    policies: PolicySwap
    champions: Champions
    lots: LotBook
    set_mode: SetAgencyMode
    preparing: Callable[[], str | None]
    unwritable: Callable[[], str | None]
    bundle_folder: Callable[[str], Path]
    proposals: Callable[[], tuple[Proposal, ...]]
    roll_back: Callable[..., Promotion]
    refresh: Callable[[], None]
    close: Callable[[], None]

    @property
    def policy(self) -> Policy:
        """The policy that serves."""
        return self.policies.now.policy

    @property
    def read(self) -> ReadDecisions:
        """Decisions and reviews, for those who may read them."""
        return self.policies.now.read

    @property
    def review(self) -> RecordReview:
        """The use case that records a review."""
        return self.policies.now.joint.review

    @property
    def joint(self) -> JointAction:
        """Referrals, delays, events."""
        return self.policies.now.joint

    @property
    def capacity(self) -> MeterFromLog:
        """What is left of every agency's budget in the present shift."""
        return self.policies.now.capacity

    @property
    def lot_watch(self) -> LotWatch:
        """Why nothing is drawn, and whether what is drawn is done."""
        return self.policies.now.lot_watch

    @property
    def promote(self) -> Callable[..., Promotion]:
        """`PromoteModel`; the model serves before it returns, if it can."""
        return _and_then(self.policies.now.promote, self.refresh)

    @property
    def propose(self) -> Callable[..., Proposal]:
        """`ProposeModel`."""
        return self.policies.now.propose


def open_house(
    settings: Settings,
    *,
    clock: ClockMode = "live",
    on_group: Callable[[int, float], None] | None = None,
    on_refused: Callable[[str], None] = lambda _code: None,
    on_expired: Callable[[str], None] = lambda _why: None,
    example: Crossing | None = None,
) -> House:
    """Migrate and open the database, load champions, start the writer.

    Where the stored profiles have the layout of another version or policy, this one's are made beside them in the
    background: until they serve, requests are refused and `House.preparing` tells how far it has come.

    Parameters
    ----------
    settings : Settings
    clock : {'live', 'replay'}
        ``replay`` takes receipt times from the body.
    on_group : callable, optional
        Told (requests, seconds) after every group that was scored and logged.
    on_refused, on_expired : callable, optional
        As in `GroupCommitWriter`.
    example : Crossing, optional
        Walked through every model before it serves, now and after each promotion; nothing of it is kept.

    Raises
    ------
    ConfigurationError
        A setting, the policy or a secret is missing or wrong, or the checkpoints of the log are gone.
    LogUnavailableError
        The database does not answer.
    """
    checkpoint_key = load_checkpoint_key(settings)
    foundations, policy = _foundations(settings, clock, example)
    database, profiles, champions = foundations.database, foundations.profiles, foundations.champions
    book = CheckpointBook(checkpoint_file(settings.home), database, checkpoint_key)
    first = foundations.under(policy)
    policies = PolicySwap(foundations, first, newest=SqlPolicies(database).newest)

    def take_up_what_is_new() -> None:
        champions.refresh()
        champions.start_watching()
        if not (settings.is_dev and settings.policy_path is not None):  # there a file serves, promoted or not
            policies.start_watching()

    upgrade = ProfileUpgrade(database, LoadedHistories(settings, foundations.tokens), profiles, take_up_what_is_new)
    if not upgrade.start_if_needed():
        catch_up(database, profiles)
        take_up_what_is_new()
    if clock == "live":
        foundations.begin_capacity(first)  # a replayed clock tells its time with the first crossing

    def between_groups() -> None:
        policies.take_up()
        book.sign_if_due()

    writer = GroupCommitWriter(
        policies.write,
        queue_length=settings.limits.queue_length,
        on_group=on_group,
        on_idle=between_groups,
        on_refused=on_refused,
        on_expired=on_expired,
        gate=upgrade.refuse,
    )
    writer.start()

    def record_due() -> int:
        return policies.now.joint.due()

    due = DueClock(record_due)
    due.start()
    probe = WriteProbe(database)

    def unwritable() -> str | None:
        found = probe.problem()
        if found is None and is_of_other_layout(database, profiles):
            found = "the profiles that serve were made for another version or policy: restart the service"
        return found

    def close() -> None:
        upgrade.stop()
        champions.stop_watching()
        policies.stop_watching()
        due.stop()
        probe.close()
        writer.stop()
        try:
            book.sign()
        finally:
            database.close()

    register, store = foundations.register, foundations.store
    roll_back = RollBackModel(register=register, shelf=store, holds=champions.holds, is_dev=settings.is_dev)
    return House(
        accounts=Accounts(database, policy),
        writer=writer,
        policies=policies,
        champions=champions,
        lots=LotBook(database, settings),
        set_mode=foundations.set_mode,
        preparing=upgrade.waits_for,
        unwritable=unwritable,
        bundle_folder=store.folder,
        proposals=register.proposals,
        roll_back=_and_then(roll_back, champions.refresh),
        refresh=champions.refresh,
        close=close,
    )


def _foundations(settings: Settings, clock: ClockMode, example: Crossing | None) -> tuple[Foundations, Policy]:
    """Open what no policy changes, and say which policy serves first."""
    cipher = AesLabelCipher(load_label_key(settings))
    tokens = EntityTokens(load_entity_secret(settings))
    database = open_database(settings)
    policy = policy_that_serves(settings, database)
    log = SqlDecisionLog(database, cipher)
    profiles, ranks = FoldEvents(tuple(policy.domains)), RankWindows(log.ranked_margins)
    rehearse = None
    if example is not None:
        read_profiles = reader_of(database)
        rehearse = RehearseModels(profiles=profiles, ranks=ranks, read_profiles=read_profiles, example=example)
    register, store = SqlPromotions(database), BundleStore(settings)
    found = Foundations(
        settings=settings,
        database=database,
        log=log,
        cipher=cipher,
        tokens=tokens,
        profiles=profiles,
        ranks=ranks,
        champions=ServingChampions(register, store, policy, rehearse),
        register=register,
        store=store,
        seeds=ServingSeeds(LotBook(database, settings)),
        set_mode=SetAgencyMode(SqlAgencyModes(database), policy),
        clock=clock,
        example=example,
    )
    return found, policy


def _and_then(act: Callable[..., Promotion], refresh: Callable[[], None]) -> Callable[..., Promotion]:
    def acted(*given: object, **named: object) -> Promotion:
        promotion = act(*given, **named)
        try:
            refresh()
        except UnavailableError:
            logging.getLogger(__name__).warning("promoted; the watcher takes the model up")
        return promotion

    return acted


@dataclass(frozen=True, slots=True)
class PromotionDesk:
    """Promotes bundles from programs beside the service; the database is open while it does, and no longer.

    Attributes
    ----------
    settings : Settings
    policy : Policy
    """

    settings: Settings
    policy: Policy

    def __call__(
        self, bundle: Path, *, approved_by: str, assessment_id: str | None, is_shortcut: bool = False
    ) -> Promotion:
        """Verify a bundle, put it in its place and record the promotion durably, as `PromoteModel` does.

        Parameters
        ----------
        bundle, approved_by, assessment_id, is_shortcut : as in `PromoteModel`

        Raises
        ------
        LogUnavailableError
            The database does not answer.
        """
        settings = self.settings
        database = open_database(settings)
        try:
            register = SqlPromotions(database, signing=lambda: signed_after(settings, database))
            promote = PromoteModel(
                register=register, shelf=BundleStore(settings), policy=self.policy, is_dev=settings.is_dev
            )
            return promote(bundle, approved_by=approved_by, assessment_id=assessment_id, is_shortcut=is_shortcut)
        finally:
            database.close()


def promotion_desk(settings: Settings) -> PromotionDesk:
    """Return what a promotion needs, for training programs.

    Raises
    ------
    ConfigurationError
        The policy is wrong.
    """
    return PromotionDesk(settings, serving_policy(settings))


def verify_log_of(settings: Settings, clock: Clock = now) -> AuditReport:
    """Check the decision log of an installation: chains, payloads, rows and signed checkpoints.

    Parameters
    ----------
    settings : Settings
    clock : callable
        The present instant.

    Raises
    ------
    LogUnavailableError
        The database does not answer.
    """
    database = open_database(settings)
    try:
        key = load_checkpoint_public_key(settings)
        checkpoints = read_checkpoints(checkpoint_file(settings.home), key)
        policies = _policies(settings, database)
        return verify_log(SqlAuditSource(database, key), checkpoints, now=clock(), policy=policies)
    finally:
        database.close()


def _policies(settings: Settings, database: Database) -> Callable[[str], Policy | None]:
    promoted = SqlPolicies(database)

    def by_digest(digest: str) -> Policy | None:
        try:
            found = promoted.by_digest(digest)
            if found is None and settings.policy_path is not None:
                named = load_policy(settings.policy_path)
                found = named if named.digest == digest else None
        except ConfigurationError:  # its text is of another version, or gone: an audit goes on without it
            return None
        return found

    return by_digest
