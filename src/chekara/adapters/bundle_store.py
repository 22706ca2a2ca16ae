"""Promoted bundles by digest, and which of them serve."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from chekara.adapters.watcher import Watcher
from chekara.errors import BundleDigestError, BundleRefusedError, ChekaraError, UnavailableError
from chekara.modelling.bundle import load_trusted_keys, read_bundle, verify_in_child
from chekara.modelling.model import Model
from chekara.policy.policy import Policy
from chekara.service.ports import PromotionRegister
from chekara.service.records import BundleAbout, Promotion
from chekara.settings import Settings

WATCH_SECONDS = 2.0
KEPT_MODELS = 2
"""Models that served a domain before and stay in memory, so that going back costs no verification."""


class BundleStore:
    """The folder ``bundles/<digest>`` of an installation.

    Parameters
    ----------
    settings : Settings
        Says where bundles and trusted public keys lie.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def folder(self, digest: str) -> Path:
        """Return where the bundle of a digest (``sha256:...``) lies, or would lie."""
        return self._settings.bundles_path / digest

    def inspect(self, folder: Path) -> BundleAbout:
        """Verify a bundle in a child process, golden vectors included, and say what it is.

        Raises
        ------
        BundleRefusedError
            It is not what it says it is.
        """
        model = self._verified(folder)
        return BundleAbout(
            domain=model.spec.domain,
            model=model.identity,
            trained_by=str(model.about.get("trained_by", "")),
            found_wanting=_found_wanting(model.about),
            results_of=model.spec.results_of,
        )

    def are_sound(self, digests: Sequence[str]) -> bool:
        """Try several bundles in one child process; False where at least one of them is refused."""
        first, *others = (self.folder(digest) for digest in digests)
        try:
            verify_in_child(first, load_trusted_keys(self._settings), *others)
        except BundleRefusedError:
            return False
        return True

    def load(self, digest: str, *, is_tried: bool = False) -> Model:
        """Load a promoted bundle, verified in a child process first.

        Parameters
        ----------
        digest : str
        is_tried : bool
            A child process has verified it just now; signature and digests are verified again all the same.

        Raises
        ------
        BundleRefusedError
            It is gone, or not what it says it is.
        """
        folder = self.folder(digest)
        model = read_bundle(folder, load_trusted_keys(self._settings)) if is_tried else self._verified(folder)
        if model.identity.digest != digest:
            raise BundleDigestError("the bundle has another digest than its folder", where=digest)
        return model

    def place(self, folder: Path, digest: str, *, trusted: Sequence[Ed25519PublicKey] | None = None) -> Path:
        """Copy a bundle to its place, all of it or nothing.

        Parameters
        ----------
        folder : Path
        digest : str
        trusted : sequence of Ed25519PublicKey, optional
            Who may have signed it; else the keys trusted here. Training passes its own: the bundle lies there before
            anybody trusts its maker, and is verified against the trusted keys before it serves.

        Returns
        -------
        Path
            Its place. A whole bundle that is there already is left alone; a damaged one is replaced.

        Raises
        ------
        BundleRefusedError
            What was copied has another digest than what was verified.
        """
        target = self.folder(digest)
        keys = load_trusted_keys(self._settings) if trusted is None else trusted
        if target.resolve() == folder.resolve() or _is_whole(target, digest, keys):
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".incoming-", dir=target.parent))
        try:
            copy = draft / "bundle"
            shutil.copytree(folder, copy)
            _sync(copy)
            if not _is_whole(copy, digest, keys):
                raise BundleDigestError("the bundle changed while it was copied", where=digest)
            if target.exists():
                target.rename(draft / "damaged")
            copy.rename(target)
            _sync_folder(target.parent)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return target

    def _verified(self, folder: Path) -> Model:
        trusted = load_trusted_keys(self._settings)
        verify_in_child(folder, trusted)
        return read_bundle(folder, trusted)


def _found_wanting(about: Mapping[str, Any]) -> tuple[str, ...] | None:
    if not {"blocking_findings", "refused_tables"} <= about.keys():
        return None
    return (*about["blocking_findings"], *(f"refused {table}" for table in about["refused_tables"]))


def _is_whole(folder: Path, digest: str, trusted: Sequence[Ed25519PublicKey]) -> bool:
    if not folder.is_dir():
        return False
    try:
        return read_bundle(folder, trusted).identity.digest == digest
    except ChekaraError:
        return False


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class ServingChampions:
    """The champion of every domain: the newest promotion record whose bundle verifies.

    Parameters
    ----------
    register : PromotionRegister
    store : BundleStore
    policy : Policy
        A domain that it does not know cannot serve.
    rehearse : callable, optional
        Given the mapping that is to serve, walks everything in it once; what it raises keeps the new model out.
    """

    def __init__(
        self,
        register: PromotionRegister,
        store: BundleStore,
        policy: Policy,
        rehearse: Callable[[Mapping[str, Model]], None] | None = None,
    ) -> None:
        self._register = register
        self._store = store
        self._policy = policy
        self._rehearse = rehearse or (lambda _serving: None)
        self._serving: Mapping[str, Model] = {}
        self._former: dict[str, tuple[Model, ...]] = {}
        self._problems: dict[str, str] = {}
        self._refused: dict[str, str] = {}
        self._watcher: Watcher | None = None
        self._refreshing = threading.Lock()

    def serving(self) -> Mapping[str, Model]:
        """Return the champion per domain. The mapping is never changed, only replaced: read it once per group."""
        return self._serving

    def problems(self) -> tuple[str, ...]:
        """Return why promoted bundles do not serve, one sentence each; empty when all do."""
        return tuple(self._problems.values())

    def refresh(self) -> None:
        """Load what was promoted since the last look. A refused bundle never replaces one that serves.

        Raises
        ------
        LogUnavailableError
            The promotion records cannot be read.
        NotReadyError
            The profiles that serve cannot be read by this version and policy.
        """
        with self._refreshing:
            new: dict[str, Promotion] = {}
            for domain, promotion in self._register.serving().items():
                if domain in self._serving and self._serving[domain].identity.digest == promotion.model.digest:
                    self._problems.pop(domain, None)
                elif self._refused.get(domain) != promotion.promotion_id:
                    new[domain] = promotion
            unknown = [p.model.digest for domain, p in new.items() if self._kept(domain, p.model.digest) is None]
            # A service that starts tries them all at once; only where that fails, each for itself.
            are_tried = len(unknown) > 1 and self._store.are_sound(unknown)
            for domain, promotion in new.items():
                self._replace(domain, promotion, is_tried=are_tried)

    def holds(self, domain: str, digest: str) -> bool:
        """Whether a model that served before is still in memory, verified and warm."""
        return self._kept(domain, digest) is not None

    def _kept(self, domain: str, digest: str) -> Model | None:
        return next((model for model in self._former.get(domain, ()) if model.identity.digest == digest), None)

    def _replace(self, domain: str, promotion: Promotion, *, is_tried: bool) -> None:
        """Let one domain's new model serve, once it is verified and warm; the one before stays at hand."""
        digest = promotion.model.digest
        try:
            self._policy.domain(domain)
            model = self._kept(domain, digest) or self._store.load(digest, is_tried=is_tried)
            serving = {**self._serving, domain: model}
            self._rehearse(serving)
        except UnavailableError:
            raise  # says nothing of the bundle: it is tried again at the next look
        except Exception as error:  # noqa: BLE001  # a model that cannot score an example must not serve
            # Refused once, a bundle is not tried again until it is promoted again or the service restarts.
            self._refused[domain] = promotion.promotion_id
            told = f"{error.title}: {error}" if isinstance(error, ChekaraError) else "it cannot score an example"
            self._problems[domain] = f"{domain}: {told}"
            logging.getLogger(__name__).error("promoted bundle does not serve: %s", self._problems[domain])
            return
        before = self._serving.get(domain)
        if before is not None:
            others = (one for one in self._former.get(domain, ()) if one.identity.digest != digest)
            self._former[domain] = (before, *others)[:KEPT_MODELS]
        self._problems.pop(domain, None)
        self._serving = serving
        logging.getLogger(__name__).info("a model serves: %s %s", domain, digest)

    def start_watching(self) -> None:
        """Look for promotions every two seconds, in a thread of its own."""
        self._watcher = Watcher(
            self.refresh,
            every_seconds=WATCH_SECONDS,
            name="chekara-champions",
            trouble="promotion records cannot be read",
        )
        self._watcher.start()

    def stop_watching(self) -> None:
        """End the thread. Safe to call twice."""
        if self._watcher is not None:
            self._watcher.stop()
