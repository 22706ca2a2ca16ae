"""Going back is a promotion of its own; of a random life of promotions a plain stack tells what stands."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekara.domain.decision import ModelIdentity
from chekara.errors import ForbiddenError, NothingBeforeError
from chekara.service.records import BundleAbout, Promotion, Proposal
from chekara.service.roll_back import RollBackModel

NOW = datetime(2026, 5, 4, tzinfo=UTC)


class Register:
    """Promotions in memory."""

    def __init__(self) -> None:
        self.rows: list[Promotion] = []

    def record(self, promotion: Promotion) -> None:
        self.rows.append(promotion)

    def serving(self) -> dict[str, Promotion]:
        return {one.domain: one for one in self.rows}

    def history(self, domain: str) -> tuple[Promotion, ...]:
        return tuple(one for one in self.rows if one.domain == domain)

    def propose(self, proposal: Proposal) -> None:
        raise AssertionError("nobody proposes to go back")

    def proposals(self) -> tuple[Proposal, ...]:
        return ()

    def promote(self, version: str, *, trained_by: str = "trainer", is_shortcut: bool = False) -> None:
        self.rows.append(
            Promotion(
                promotion_id=f"p{len(self.rows)}",
                domain="contraband",
                model=ModelIdentity("contraband", version, f"sha256:{version}"),
                trained_by=trained_by,
                approved_by="approver",
                assessment_id=f"IA-{version}",
                is_shortcut=is_shortcut,
                promoted_at=NOW,
            )
        )


class Shelf:
    """Counts verifications."""

    inspected = 0

    def folder(self, digest: str) -> Path:
        return Path(digest)

    def inspect(self, folder: Path) -> BundleAbout:
        self.inspected += 1
        return BundleAbout(
            domain="contraband", model=ModelIdentity("", "", folder.name), trained_by="", found_wanting=()
        )

    def place(self, folder: Path, digest: str) -> Path:
        raise AssertionError("it lies there already")


def desk(register: Register, *, holds: bool = True, is_dev: bool = False, shelf: Shelf | None = None) -> RollBackModel:
    return RollBackModel(
        register=register, shelf=shelf or Shelf(), holds=lambda *_: holds, is_dev=is_dev, now=lambda: NOW
    )


@given(st.lists(st.sampled_from(["1", "2", "3", None]), max_size=12))
def test_what_serves_is_the_top_of_a_stack(life: list[str | None]) -> None:
    register, stack = Register(), list[str]()
    for version in life:
        if version is not None:
            register.promote(version)
            stack += [version] * (not stack or stack[-1] != version)
        elif len(stack) < 2:
            with pytest.raises(NothingBeforeError):
                desk(register)("contraband", approved_by="approver", reason="worse")
        else:
            newest = register.rows[-1].model.version
            made = desk(register)("contraband", approved_by="approver", reason="worse")
            assert newest == stack.pop()
            assert (made.assessment_id, made.reason) == (f"IA-{stack[-1]}", "worse")
            assert made.takes_back in {one.promotion_id for one in register.rows}
        if stack:
            assert register.serving()["contraband"].model.version == stack[-1]


def test_who_trained_the_former_model_does_not_go_back_to_it() -> None:
    register = Register()
    register.promote("1", trained_by="Ainura")
    register.promote("2")
    with pytest.raises(ForbiddenError, match="trained"):
        desk(register)("contraband", approved_by="AINURA", reason="worse")
    assert len(register.rows) == 2


def test_outside_dev_nobody_goes_back_to_what_was_never_approved() -> None:
    register = Register()
    register.promote("1", is_shortcut=True)
    register.promote("2")
    with pytest.raises(ForbiddenError, match="never approved"):
        desk(register)("contraband", approved_by="approver", reason="worse")
    assert desk(register, is_dev=True)("contraband", approved_by="approver", reason="worse").is_shortcut


@pytest.mark.parametrize("holds", [True, False])
def test_what_is_in_memory_is_not_verified_again(holds: bool) -> None:
    register, shelf = Register(), Shelf()
    register.promote("1")
    register.promote("2")
    desk(register, holds=holds, shelf=shelf)("contraband", approved_by="approver", reason="worse")
    assert shelf.inspected == (not holds)
