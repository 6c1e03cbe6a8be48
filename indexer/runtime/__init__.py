"""The machine: cores, devices, threads of BLAS, compiled code."""
