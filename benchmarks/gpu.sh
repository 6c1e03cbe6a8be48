#!/usr/bin/env bash
# Measure all that a GPU must show, in at most ten minutes, and record it in benchmarks/results.
#
#     benchmarks/gpu.sh [SECONDS]        by default 600; needs a GPU that torch can use
#     benchmarks/gpu.sh --small          tries every step on the CPU and records nothing
#
# Steps: exact search of 10,000,000 x 128 and x 512 by torch, FAISS GpuIndexFlat and CAGRA (where
# FAISS has a GPU build, and cuVS); encoders, training and the graph of nearest neighbours. Each step
# records its result when it is done. What the time does not allow is said, and the script ends with 1.
set -u
cd "$(dirname "$0")/.."
python=${PYTHON:-python}
limit=600 options=() small=0
if [[ ${1:-} == --small ]]; then
  small=1 options=(--small --device cpu --busy)
elif [[ -n ${1:-} ]]; then
  limit=$1
fi
failed=0

step() { # at most seconds, then a module and its options
  local left=$((limit - SECONDS)) most=$1
  shift
  ((most > left)) && most=$left
  if ((small)); then most=600; fi
  if ((most < 5)); then
    echo "NOT MEASURED, no time left: $*" >&2
    failed=1
    return
  fi
  echo "step, at most $most s: $*" >&2
  if ! timeout "$most" "$python" -m "$@" "${options[@]}"; then
    echo "FAILED or out of time: $*" >&2
    failed=1
  fi
}

step 190 benchmarks.search.gpu --ways exhaustive,CAGRA --repeats 3
step 160 benchmarks.search.gpu_jobs --seconds 90 --repeats 3
step 250 benchmarks.search.gpu --dimension 512 --ways exhaustive,CAGRA --repeats 3
echo "done after $SECONDS s" >&2
exit "$failed"
