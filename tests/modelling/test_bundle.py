"""Bundles: what is damaged, foreign or shifted is refused in words while this process lives."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chekara.api.fields import Refusal, checks_for
from chekara.data.checks import validate_table
from chekara.data.schema import CROSSING_COLUMNS
from chekara.data.sources import History
from chekara.errors import (
    BundleColumnsError,
    BundleDigestError,
    BundleGoldenError,
    BundleRefusedError,
    BundleSignatureError,
    ConfigurationError,
)
from chekara.features.build import items_from_frame
from chekara.features.catalogue import FEATURES, Feature
from chekara.modelling import bundle
from chekara.modelling.bundle import CONTENT_FILES, read_bundle, verify_in_child, write_bundle
from chekara.modelling.golden import check_golden, draw_golden_rows
from chekara.modelling.model import Model
from tests.modelling.conftest import UNTIL, strangers

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
TRUSTED = (KEY.public_key(),)
ABOUT = {"version": "7", "run_id": "r1", "trained_by": "somebody", "trained_at": "2026-02-01T00:00:00+00:00"}


@pytest.fixture(scope="session")
def whole(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a good bundle. Copy it, never write to it."""
    folder = tmp_path_factory.mktemp("bundles") / "whole"
    write_bundle(model, folder, KEY, ABOUT, "# Card\n")
    return folder


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def _sign_again(
    folder: Path, change: Callable[[dict[str, Any]], None] | None = None, key: Ed25519PrivateKey = KEY
) -> None:
    """Sign a changed folder as its maker would: the manifest is right, only the content is not."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for name in manifest["files"]:
        data = (folder / name).read_bytes()
        manifest["files"][name] = {"sha256": bundle._sha256(data), "bytes": len(data)}
    manifest["digest"] = bundle._digest_of({name: (folder / name).read_bytes() for name in CONTENT_FILES})
    if change is not None:
        change(manifest)
    data = json.dumps(manifest).encode()
    (folder / "manifest.json").write_bytes(data)
    (folder / "manifest.sig").write_bytes(key.sign(data))


def test_what_is_read_is_what_was_written(whole: Path, model: Model, history: History) -> None:
    read = read_bundle(whole, TRUSTED)
    # The fixture trains with fewer trees to choose from than the spec's text says.
    assert replace(read.spec, training=model.spec.training) == model.spec
    assert (read.calibration, read.encoder, read.severity) == (model.calibration, model.encoder, model.severity)
    assert read.reference_margins.tolist() == model.reference_margins.tolist()
    assert read.evidence.to_json() == model.evidence.to_json()
    assert read.about == ABOUT
    assert (read.identity.name, read.identity.version) == ("revenue_fraud", "7")
    items = strangers(history.newest_revisions(UNTIL).head(500), model.spec)
    X = read.encode(read.features(items))
    assert X.tobytes() == model.encode(model.features(items)).tobytes()
    assert read.margins(X).tobytes() == model.margins(X).tobytes()


def test_run_time_and_card_are_outside_the_digest_but_signed(model: Model, whole: Path, tmp_path: Path) -> None:
    digest = write_bundle(model, tmp_path / "again", KEY, {"run_id": "r2"}, "# Other card\n")
    assert digest == json.loads((whole / "manifest.json").read_text())["digest"]
    for name in ("about.json", "card.md"):
        kept = (tmp_path / "again" / name).read_bytes()
        (tmp_path / "again" / name).write_text("{}")
        with pytest.raises(BundleDigestError, match="changed or cut") as refused:
            read_bundle(tmp_path / "again", TRUSTED)
        assert refused.value.where == f"again/{name}"
        (tmp_path / "again" / name).write_bytes(kept)


def test_other_content_is_another_digest(model: Model, tmp_path: Path) -> None:
    first = write_bundle(model, tmp_path / "a", KEY, {})
    steeper = replace(model, calibration=replace(model.calibration, slope=model.calibration.slope * 1.01))
    assert write_bundle(steeper, tmp_path / "b", KEY, {}) != first


def test_there_is_only_text_and_no_pickle(whole: Path) -> None:
    for path in whole.iterdir():
        if path.name != "manifest.sig":
            path.read_bytes().decode("utf-8")


def test_a_bundle_is_not_written_over_another(model: Model, copy: Path) -> None:
    with pytest.raises(ConfigurationError, match="empty folder"):
        write_bundle(model, copy, KEY, {})


@pytest.mark.parametrize("name", [*CONTENT_FILES, "about.json", "card.md", "manifest.json", "manifest.sig"])
def test_a_cut_file_is_refused_at_every_offset(whole: Path, copy: Path, name: str) -> None:
    data = (whole / name).read_bytes()
    for length in sorted({0, 1, len(data) // 3, len(data) // 2, len(data) - 2, len(data) - 1} - {len(data)}):
        (copy / name).write_bytes(data[:length])
        with pytest.raises((BundleDigestError, BundleSignatureError)):
            read_bundle(copy, TRUSTED)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_byte_is_refused(whole: Path, copy: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([*CONTENT_FILES, "about.json", "card.md", "manifest.json", "manifest.sig"]))
    original = (whole / name).read_bytes()
    place = data.draw(st.integers(0, len(original) - 1))
    changed = bytearray(original)
    changed[place] ^= data.draw(st.integers(1, 255))
    (copy / name).write_bytes(bytes(changed))
    with pytest.raises((BundleDigestError, BundleSignatureError)):
        read_bundle(copy, TRUSTED)
    (copy / name).write_bytes(original)


def test_a_signature_of_somebody_else_is_refused_with_what_to_do(copy: Path) -> None:
    _sign_again(copy, key=OTHER_KEY)
    with pytest.raises(BundleSignatureError, match="none of the keys trusted here") as refused:
        read_bundle(copy, TRUSTED)
    assert refused.value.hint is not None
    assert "keys/trusted" in refused.value.hint
    assert read_bundle(copy, (*TRUSTED, OTHER_KEY.public_key())).identity.name == "revenue_fraud"


def test_nobody_trusted_means_nothing_is_read(whole: Path) -> None:
    with pytest.raises(BundleSignatureError):
        read_bundle(whole, ())


@pytest.mark.parametrize("name", [*CONTENT_FILES, "about.json", "card.md"])
def test_a_lost_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(BundleDigestError, match=f"missing {name}"):
        read_bundle(copy, TRUSTED)


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sig"])
def test_without_manifest_or_signature_nothing_is_read(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(BundleSignatureError, match="missing"):
        read_bundle(copy, TRUSTED)


def test_a_file_too_many_is_refused_without_its_name(copy: Path) -> None:
    (copy / "evil.pkl").write_bytes(b"\x80\x04")
    with pytest.raises(BundleDigestError, match="1 files too many"):
        read_bundle(copy, TRUSTED)


def test_a_link_is_no_file_and_no_folder(copy: Path, whole: Path, tmp_path: Path) -> None:
    (copy / "model.txt").unlink()
    (copy / "model.txt").symlink_to(whole / "model.txt")
    with pytest.raises(BundleDigestError, match="not a plain file"):
        read_bundle(copy, TRUSTED)
    (tmp_path / "link").symlink_to(whole)
    with pytest.raises(BundleRefusedError, match="no such bundle folder"):
        read_bundle(tmp_path / "link", TRUSTED)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BundleRefusedError, match="no such bundle folder"):
        read_bundle(tmp_path / "nothing", TRUSTED)


@pytest.fixture
def catalogue() -> Iterator[dict[str, Feature]]:
    """Yield the catalogue to change; afterwards it is as it was, in its order, too."""
    before = dict(FEATURES)
    yield FEATURES
    FEATURES.clear()
    FEATURES.update(before)


def test_a_bundle_for_other_features_is_refused_with_the_difference(whole: Path, catalogue: dict[str, Feature]) -> None:
    catalogue["net_mass_kg"] = replace(catalogue["net_mass_kg"], unit="t")
    del catalogue["gross_over_net"]
    with pytest.raises(BundleColumnsError) as refused:
        read_bundle(whole, TRUSTED)
    assert refused.value.detail.splitlines()[1:] == [
        "- net_mass_kg: number (kg)",
        "+ net_mass_kg: number (t)",
        "- gross_over_net: number (ratio)",
        "+ gross_over_net: unknown ()",
    ]


@pytest.mark.parametrize("where", ["manifest", "encoding.json"])
def test_shifted_columns_are_refused(copy: Path, where: str) -> None:
    def turn(manifest: dict[str, Any]) -> None:
        if where == "manifest":
            manifest["columns"] = manifest["columns"][1:] + manifest["columns"][:1]

    if where == "encoding.json":
        encoding = json.loads((copy / where).read_text())
        encoding["columns"] = encoding["columns"][1:] + encoding["columns"][:1]
        (copy / where).write_text(json.dumps(encoding))
    _sign_again(copy, turn)
    with pytest.raises(BundleColumnsError, match="shifted from column 0"):
        read_bundle(copy, TRUSTED)


def test_a_bundle_of_another_format_is_refused(copy: Path) -> None:
    _sign_again(copy, lambda manifest: manifest.update(format="chekara-bundle/99"))
    with pytest.raises(BundleRefusedError, match="another format"):
        read_bundle(copy, TRUSTED)


def test_a_digest_that_is_not_the_contents_is_refused(copy: Path) -> None:
    _sign_again(copy, lambda manifest: manifest.update(digest="sha256:" + "0" * 64))
    with pytest.raises(BundleDigestError, match="digest is not that of the files"):
        read_bundle(copy, TRUSTED)


def test_the_child_accepts_good_bundles_and_refuses_all_for_one(whole: Path, copy: Path) -> None:
    verify_in_child(whole, TRUSTED, copy)
    (copy / "calibration.json").write_text("{}")
    with pytest.raises(BundleDigestError):
        verify_in_child(whole, TRUSTED, copy)


def test_a_model_that_kills_its_reader_kills_the_child_alone(copy: Path) -> None:
    """Cut the model and sign it: signature and digests hold, LightGBM itself does not survive every such file."""
    data = (copy / "model.txt").read_bytes()
    # In the middle of a tree's arrays: measured to end the process with a segmentation fault or a parse error.
    (copy / "model.txt").write_bytes(data[: data.index(b"split_gain=", len(data) // 2) + 40])
    _sign_again(copy)
    with pytest.raises(BundleRefusedError):
        verify_in_child(copy, TRUSTED)


def test_a_changed_leaf_that_was_signed_anew_fails_its_golden_vectors(copy: Path) -> None:
    text = (copy / "model.txt").read_text()
    start = text.index("leaf_value=") + len("leaf_value=")
    end = text.index("\n", start)
    moved = " ".join(repr(float(v) + 0.01) for v in text[start:end].split())
    # LightGBM finds trees by their sizes, which the header lists.
    tree = text.index("Tree=0")
    sizes = text.index("tree_sizes=") + len("tree_sizes=")
    first_size = text[sizes : text.index(" ", sizes)]
    changed = text[:start] + moved + text[end:]
    size = str(int(first_size) + len(moved) - (end - start))
    changed = changed[:sizes] + size + changed[sizes + len(first_size) :]
    assert tree > sizes
    (copy / "model.txt").write_text(changed)
    _sign_again(copy)
    with pytest.raises(BundleGoldenError, match="of golden row"):
        verify_in_child(copy, TRUSTED)


def test_golden_rows_are_nobodys_declaration(model: Model, history: History) -> None:
    rows = model.golden["rows"]
    assert len(rows) > 30
    assert not any(key.endswith("_id") and value != "somebody" for row in rows for key, value in row.items())
    declared = set(
        zip(
            history.crossings["hs_code"],
            history.crossings["declared_value"],
            history.crossings["net_mass_kg"],
            strict=True,
        )
    )
    drawn = {(r.get("hs_code"), r.get("declared_value"), r.get("net_mass_kg")) for r in rows}
    assert len({d for d in drawn if None not in d} & declared) == 0
    assert len(set(np.round(model.golden["margins"], 6))) > 10


def test_golden_rows_are_what_the_contract_and_the_door_allow(history: History) -> None:
    rows = draw_golden_rows(items_from_frame(history.crossings), list(FEATURES), seed=3)
    table = pd.DataFrame(rows).assign(crossing_id=[f"golden-{i}" for i in range(len(rows))])
    assert validate_table(table.astype(object), "crossings").refusals == ()
    checks = checks_for(CROSSING_COLUMNS, 512)
    kinds = {column.name: column.kind for column in CROSSING_COLUMNS}
    types = {"integer": int, "number": float, "boolean": bool}
    for row in json.loads(json.dumps(rows)):
        for name, value in row.items():
            assert not isinstance(checks[name](value), Refusal), name
            assert type(value) is types.get(kinds[name], str), name
    assert any("importer_registered_at" in row for row in rows)
    assert rows == draw_golden_rows(items_from_frame(history.crossings), list(FEATURES), seed=3)


def test_a_bundle_without_golden_rows_is_refused(model: Model) -> None:
    empty = replace(model, golden={"rows": [], "margins": [], "probabilities": []})
    with pytest.raises(BundleGoldenError, match="no golden row"):
        check_golden(empty)
