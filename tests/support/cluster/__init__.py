"""What tests of clusters need: a bucket that goes wrong, engines in other processes, rows."""
