"""Names that other programs gave: read from their files, matched with faces, and decided."""
