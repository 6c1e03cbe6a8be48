"""YuNet (Wu et al. 2023, "YuNet: A Tiny Millisecond-level Face Detector")."""
