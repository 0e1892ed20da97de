"""The pages of the log with 10,000 events in it and with ten million."""
