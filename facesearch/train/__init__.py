"""Training encoders: crops, batches, losses and a trainer that can be stopped at any step."""
