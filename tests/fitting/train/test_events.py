"""Progress events report the progress of every member."""

from __future__ import annotations

from nncli.fitting.train.events import MembersProgress, Progress

DONE = Progress(epoch=6, epochs=10, metric="rmse", value=2.0, best_epoch=4, done=True)
AT_WORK = Progress(epoch=3, epochs=10, metric="rmse", value=4.0, best_epoch=2)
WAITING = Progress(epochs=10)


def test_a_member_that_stopped_early_counts_as_complete() -> None:
    progress = MembersProgress((DONE, AT_WORK, WAITING))
    assert (progress.done, progress.epochs, progress.epochs_of_all) == (1, 13, 30)


def test_a_member_without_progress_counts_with_all_its_epochs() -> None:
    assert MembersProgress((AT_WORK, Progress())).epochs_of_all == 20
    assert MembersProgress(()).epochs_of_all == 0


def test_the_mean_is_that_of_the_members_that_have_a_best_epoch() -> None:
    assert MembersProgress((DONE, AT_WORK, WAITING)).mean == ("rmse", 3.0)
    assert MembersProgress((WAITING,)).mean is None
