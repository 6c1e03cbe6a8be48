"""What a gallery shows, in columns that are read once and kept until its files change."""
