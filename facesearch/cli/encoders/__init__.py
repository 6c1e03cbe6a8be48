"""``encoders``: which there are, fetching and adding them, learning their thresholds, int8."""
