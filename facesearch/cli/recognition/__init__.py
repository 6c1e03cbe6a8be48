"""Commands that recognise people in photos."""
