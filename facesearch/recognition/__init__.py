"""Identification, its calibration, and searches of many probes."""
