"""Jobs and searches on more machines than one, on a Ray cluster (extra ``ray``)."""
