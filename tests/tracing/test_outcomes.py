"""What becomes of a transaction, as the writer finds it."""

from signals_demo.tracing.outcomes import SaveOutcome, TransactionOutcome


def test_an_outcome_is_set_once() -> None:
    outcome = TransactionOutcome()
    assert outcome.value == "open"
    outcome.set("rolled_back")
    outcome.set("committed")
    assert outcome.value == "rolled_back"


def test_a_released_savepoint_goes_with_what_is_around_it() -> None:
    transaction = TransactionOutcome()
    savepoint = TransactionOutcome(transaction)
    savepoint.release()
    assert savepoint.is_decided
    assert savepoint.decided_by() is transaction
    assert savepoint.decided_by(savepoint) is savepoint
    transaction.set("committed")
    assert savepoint.value == "committed"


def test_a_save_that_is_not_done_when_its_transaction_ends_is_rolled_back() -> None:
    transaction = TransactionOutcome()
    save = SaveOutcome(transaction)
    assert save.is_waiting
    transaction.set("committed")
    assert save.value == "rolled_back"
    assert not save.is_waiting


def test_an_outcome_that_is_set_while_it_is_asked_for_counts() -> None:
    outcome = TransactionOutcome()
    # As when the writer asks, and the project's thread ends the save and drops it meanwhile.
    outcome._owner = lambda: outcome.set("committed")  # type: ignore[assignment]
    assert outcome.value == "committed"
