"""Promoted bundles by digest, and which of them serve."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chekara.errors import BundleDigestError, ChekaraError
from chekara.modelling.bundle import load_trusted_keys, read_bundle, verify_in_child
from chekara.modelling.model import Model
from chekara.policy.policy import Policy
from chekara.service.ports import PromotionRegister
from chekara.service.records import BundleAbout, Promotion
from chekara.settings import Settings

WATCH_SECONDS = 2.0


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
        )

    def load(self, digest: str) -> Model:
        """Load a promoted bundle, verified in a child process first.

        Raises
        ------
        BundleRefusedError
            It is gone, or not what it says it is.
        """
        model = self._verified(self.folder(digest))
        if model.identity.digest != digest:
            raise BundleDigestError("the bundle has another digest than its folder", where=digest)
        return model

    def place(self, folder: Path, digest: str) -> Path:
        """Copy a bundle to its place, all of it or nothing.

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
        if target.resolve() == folder.resolve() or self._is_whole(target, digest):
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".incoming-", dir=target.parent))
        try:
            copy = draft / "bundle"
            shutil.copytree(folder, copy)
            _sync(copy)
            if not self._is_whole(copy, digest):
                raise BundleDigestError("the bundle changed while it was copied", where=digest)
            if target.exists():
                target.rename(draft / "damaged")
            copy.rename(target)
            _sync_folder(target.parent)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return target

    def _is_whole(self, folder: Path, digest: str) -> bool:
        if not folder.is_dir():
            return False
        try:
            return read_bundle(folder, load_trusted_keys(self._settings)).identity.digest == digest
        except ChekaraError:
            return False

    def _verified(self, folder: Path) -> Model:
        trusted = load_trusted_keys(self._settings)
        verify_in_child(folder, trusted)
        return read_bundle(folder, trusted)


def _found_wanting(about: Mapping[str, Any]) -> tuple[str, ...] | None:
    if not {"blocking_findings", "refused_tables"} <= about.keys():
        return None
    return (*about["blocking_findings"], *(f"refused {table}" for table in about["refused_tables"]))


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
    """

    def __init__(self, register: PromotionRegister, store: BundleStore, policy: Policy) -> None:
        self._register = register
        self._store = store
        self._policy = policy
        self._serving: Mapping[str, Model] = {}
        self._problems: dict[str, str] = {}
        self._refused: dict[str, str] = {}
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None
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
        """
        with self._refreshing:
            serving = dict(self._serving)
            for domain, promotion in self._register.serving().items():
                digest = promotion.model.digest
                if domain in serving and serving[domain].identity.digest == digest:
                    self._problems.pop(domain, None)
                elif self._refused.get(domain) != promotion.promotion_id:
                    self._load(domain, promotion, serving)
            self._serving = serving

    def _load(self, domain: str, promotion: Promotion, serving: dict[str, Model]) -> None:
        try:
            self._policy.domain(domain)
            serving[domain] = self._store.load(promotion.model.digest)
        except ChekaraError as error:
            # Refused once, a bundle is not tried again until it is promoted again or the service restarts.
            self._refused[domain] = promotion.promotion_id
            self._problems[domain] = f"{domain}: {error.title}: {error}"
            logging.getLogger(__name__).error("promoted bundle does not serve: %s", self._problems[domain])
        else:
            self._problems.pop(domain, None)

    def start_watching(self) -> None:
        """Look for promotions every two seconds, in a thread of its own."""
        self._watcher = threading.Thread(target=self._watch, name="chekara-champions", daemon=True)
        self._watcher.start()

    def stop_watching(self) -> None:
        """End the thread. Safe to call twice."""
        self._stopping.set()
        if self._watcher is not None:
            self._watcher.join()

    def _watch(self) -> None:
        while not self._stopping.wait(WATCH_SECONDS):
            try:
                self.refresh()
            except Exception:  # the watcher must outlive a database that is away; what serves goes on serving
                logging.getLogger(__name__).exception("promotion records cannot be read")
