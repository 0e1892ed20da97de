"""What can become of a transaction, in the words that are stored."""

COMMITTED = "committed"
ROLLED_BACK = "rolled_back"
OPEN = "open"
