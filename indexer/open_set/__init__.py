"""Open-set identification: thresholds at a stated false positive rate."""
