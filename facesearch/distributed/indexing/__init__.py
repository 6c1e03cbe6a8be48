"""Photos embedded by many workers into one gallery."""
