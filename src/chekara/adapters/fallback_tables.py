"""``chekara policy export-fallback``: risk tables of the models that serve, signed and written for a border system."""

from __future__ import annotations

import base64
import json
import os
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from chekara.adapters.chain_writer import now
from chekara.adapters.database import open_database
from chekara.adapters.key_files import load_checkpoint_key
from chekara.adapters.policies import serving_policy
from chekara.adapters.reading import load_serving
from chekara.domain.decision import Reason
from chekara.errors import ConfigurationError, NotReadyError
from chekara.explain.evidence import CategoryEvidence
from chekara.explain.reasons import sentence
from chekara.modelling.model import Model
from chekara.policy import Policy
from chekara.policy.fallback import FallbackTerms, RiskTable, Tally, fallback_document, signed_bytes
from chekara.settings import Settings

_WHERE = "--out"


def export_fallback(
    settings: Settings, out: Path, terms: FallbackTerms, *, made_at: datetime | None = None
) -> dict[str, Any]:
    """Write the document for a border system, signed with the key of the checkpoints.

    Parameters
    ----------
    settings : Settings
    out : Path
        File that appears when it is whole, readable by its owner alone: it holds the seed of the lot.
    terms : FallbackTerms
    made_at : datetime with offset, optional
        Default: now.

    Returns
    -------
    dict
        What was written.

    Raises
    ------
    ConfigurationError
        The file cannot be written, or the policy or the key is missing or wrong.
    NotReadyError
        No domain of the policy has a verified champion.
    LogUnavailableError
        The database does not answer.
    """
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise ConfigurationError("no such folder to write to", where=_WHERE, hint="name a file in a folder that exists")
    policy, key = serving_policy(settings), load_checkpoint_key(settings)
    tables = {domain: risk_table(model) for domain, model in _champions(settings, policy).items()}
    document = fallback_document(policy, tables, terms, made_at=made_at or now(), tell=tell)
    document["signature"] = base64.b64encode(key.sign(signed_bytes(document))).decode()
    _write(out, json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n")
    return document


def _champions(settings: Settings, policy: Policy) -> Mapping[str, Model]:
    found, problems = load_serving(open_database(settings), settings, policy)
    for problem in problems:
        if problem.partition(":")[0] in policy.domains:
            # Half of the rules would look like all of them for as long as the document holds.
            raise NotReadyError("a promoted bundle does not serve", where=problem, hint="promote one that does")
    if not found:
        raise NotReadyError("no model serves yet", where="CHEKARA_HOME", hint="train and promote one first")
    return found


def risk_table(model: Model) -> RiskTable:
    """Return what a model's evidence tells of declared codes.

    Parameters
    ----------
    model : Model
    """
    features = model.evidence.features.items()
    tallies = {name: known.counts for name, known in features if isinstance(known, CategoryEvidence)}
    return RiskTable(model.identity, model.evidence.total, tallies, model.spec.applies_to)


def tell(feature: str, value: str, tally: Tally, total: Tally, language: str) -> str:
    """Say why a criterion is a rule: in the words that officers read as reasons.

    Parameters
    ----------
    feature, value : str
    tally, total : Tally
        Of crossings with such a value, and of all.
    language : {'en', 'ru', 'ky'}

    Examples
    --------
    >>> from chekara.explain.evidence import Count
    >>> tell("hs_chapter", "61", Count(900, 212, 61), Count(9000, 2000, 234), "en").replace(chr(160), " ")
    'Goods of HS chapter 61. Of 212 inspected of this kind 61 were hits (29 %); of all inspected 12 %.'
    """
    evidence = {
        "inspected": float(tally.inspected),
        "hits": float(tally.hits),
        "share": tally.hits / tally.inspected,
        "share_all": total.hits / total.inspected,
    }
    return sentence(Reason(feature, value, None, 0.0, evidence), language)


def _write(out: Path, content: bytes) -> None:
    """Let a file appear whole, readable by its owner alone, also where another one stood before."""
    draft = None
    try:
        descriptor, draft = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.absolute().parent)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(draft).replace(out)
    except OSError as error:
        raise ConfigurationError(f"the file cannot be written: {error.strerror}", where=_WHERE) from None
    finally:
        if draft is not None:
            Path(draft).unlink(missing_ok=True)
