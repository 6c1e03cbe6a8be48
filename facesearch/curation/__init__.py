"""What the owner of a gallery does to people: name, merge, split, undo."""
