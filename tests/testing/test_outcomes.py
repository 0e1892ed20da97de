"""What became of the transactions of what was captured."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.signals import post_delete
from django.test import (
    TestCase,
    TransactionTestCase,
    override_settings,
)

from project.playground.models import Book
from signals_demo.testing import Capture, capture_signals
from tests.recording import Boom, rolled_back
from tests.testing.test_captures import SAVE, failing_receiver, saved


class TestOutcomesInATestCase(TestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        with capture_signals("post_save") as cls.at_first:
            saved("first")

    def outcomes(self, signals: Capture) -> list[str]:
        return [event.outcome for event in signals]

    def test_without_a_block(self) -> None:
        with capture_signals(*SAVE) as signals:
            saved()
        assert self.outcomes(signals) == ["committed", "committed"]
        assert self.outcomes(self.at_first) == ["committed"]

    def test_blocks(self) -> None:
        with capture_signals("post_save") as signals:
            with transaction.atomic():
                saved("kept")
                assert self.outcomes(signals) == ["open"]
                with transaction.atomic():
                    saved("also kept")
                with rolled_back():
                    saved("gone")
                assert self.outcomes(signals) == ["open", "open", "rolled_back"]
            assert self.outcomes(signals) == ["committed", "committed", "rolled_back"]
            with rolled_back(), transaction.atomic():
                saved("gone as well")
        assert self.outcomes(signals)[3:] == ["rolled_back"]

    def test_durable_and_without_a_savepoint(self) -> None:
        with capture_signals("post_save") as signals:
            with transaction.atomic(durable=True):
                saved("durable")
            with transaction.atomic(savepoint=False):
                saved("without a savepoint")
            with rolled_back(), transaction.atomic(savepoint=False):
                saved("gone")
        assert self.outcomes(signals) == ["committed", "committed", "rolled_back"]

    def test_a_failing_block_without_a_savepoint(self) -> None:
        with capture_signals("post_save") as signals:
            with transaction.atomic(savepoint=False):
                saved("kept")
                assert self.outcomes(signals) == ["open"]
            with rolled_back(savepoint=False):
                saved("gone")
                with transaction.atomic():
                    saved("gone as well")
                with rolled_back():
                    saved("gone before")
        assert self.outcomes(signals) == ["committed", *["rolled_back"] * 3]

    def test_a_delete_that_fails_halfway(self) -> None:
        book = Book.objects.create(title="Notes", author=saved())
        with (
            capture_signals("pre_delete") as signals,
            pytest.raises(Boom),
            failing_receiver(post_delete),
        ):
            book.delete()
        assert self.outcomes(signals) == ["rolled_back"]

    def test_a_savepoint_by_hand(self) -> None:
        with capture_signals("post_save") as signals, transaction.atomic():
            point = connection.savepoint()
            saved("gone")
            connection.savepoint_rollback(point)
            saved("kept")
        assert self.outcomes(signals) == ["rolled_back", "committed"]

    def test_a_save_that_fails(self) -> None:
        saved()
        with (
            capture_signals("pre_save") as signals,
            pytest.raises(IntegrityError),
            transaction.atomic(),
        ):
            saved()
        assert self.outcomes(signals) == ["rolled_back"]

    def test_on_commit(self) -> None:
        for execute in (False, True):
            with self.subTest(execute=execute), capture_signals("post_save") as signals:
                with self.captureOnCommitCallbacks(execute=execute):
                    with transaction.atomic():
                        author = saved(f"kept {execute}")
                        transaction.on_commit(author.save)
                    with rolled_back():
                        saved("gone")
                expected = ["committed", "rolled_back", *["committed"] * execute]
                assert self.outcomes(signals) == expected

    def test_switched_on_in_the_middle(self) -> None:
        with override_settings(SIGNALS_DEMO={"ENABLED": False}):
            saved("unseen")
        with capture_signals("post_save") as signals:
            saved("kept")
            with rolled_back():
                saved("gone")
        assert self.outcomes(signals) == ["committed", "rolled_back"]


class TestOutcomesForReal(TransactionTestCase):
    def test_blocks(self) -> None:
        with capture_signals("post_save") as signals:
            saved("at once")
            with transaction.atomic():
                saved("kept")
                assert [event.outcome for event in signals] == ["committed", "open"]
            with rolled_back():
                saved("gone")
        assert [event.outcome for event in signals] == ["committed", "committed", "rolled_back"]
