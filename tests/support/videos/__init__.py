"""Stand-ins for tests of videos."""
