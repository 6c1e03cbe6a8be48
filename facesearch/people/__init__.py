"""People as an event log of decisions, and what the decisions add up to."""
