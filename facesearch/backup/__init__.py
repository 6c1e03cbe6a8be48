"""A gallery as it was at one moment, and as one file: exported, and imported again."""
