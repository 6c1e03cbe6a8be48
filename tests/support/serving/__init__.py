"""Services for tests."""
