"""Galleries through random histories of commands, crashes and other writers."""
