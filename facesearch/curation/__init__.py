"""Editing people: name, merge, split, undo, import and export."""
