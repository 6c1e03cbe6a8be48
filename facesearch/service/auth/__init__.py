"""Who may do what: accounts with passwords, tokens for programs, sessions for the page."""
