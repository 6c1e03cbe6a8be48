"""The shards of a gallery: filled and sealed, their numbers, and their digests."""
