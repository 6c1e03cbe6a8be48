"""Processes of tests, forked where what they need is loaded."""
