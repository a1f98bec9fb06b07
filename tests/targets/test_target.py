"""Every loss is for a kind of target, and every kind has its task."""

from __future__ import annotations

from nncli.nn.losses import MSELoss, MultiTargetLoss
from nncli.targets.multitarget import MultiTarget
from nncli.targets.target import KINDS, kind_of
from tests.unions import plain_losses


def test_every_loss_is_for_a_kind_of_answer() -> None:
    assert {kind_of(loss()) for loss in plain_losses()} == {*KINDS.values()} - {MultiTarget}
    assert kind_of(MultiTargetLoss(losses={"y": MSELoss()})) is MultiTarget
    assert all(kind.task_name() == task for task, kind in KINDS.items())
