"""Training data: crop files, batches, augmentation."""
