#!/bin/bash
# A run where a launcher sets RANK, WORLD_SIZE and MASTER_ADDR, as torchrun and the operators of clusters do:
#   torchrun --no-python --nproc-per-node 4 bench/cluster/torchrun.sh --data cifar10:/data/cifar10 --out runs/a
# Ranks of kith are MPI's: the first process starts mpirun with as many, the others are not needed and end. On one machine
# nothing else is wanted; for several HOSTS names them, as mpirun --host does (a:4,b:4), and ssh must reach them from here.
set -euo pipefail
: "${WORLD_SIZE:?is not set: torchrun sets it to the number of processes}"
: "${RANK:?is not set: torchrun sets it to the number of this process}"
if [ "$RANK" != 0 ]; then exit 0; fi
ranks=$WORLD_SIZE here=${LOCAL_WORLD_SIZE:-$WORLD_SIZE} master=${MASTER_ADDR:-not set}
if [ -z "${HOSTS:-}" ] && [ "$here" != "$ranks" ]; then
  echo "torchrun.sh: $ranks processes, $here of them here (MASTER_ADDR $master): name the machines in HOSTS=a:4,b:4" >&2
  exit 1
fi
unset RANK WORLD_SIZE LOCAL_RANK LOCAL_WORLD_SIZE MASTER_ADDR MASTER_PORT
command=("${KITH:-kith}" run --ranks "$ranks" "$@")
if [ -z "${HOSTS:-}" ]; then exec "${command[@]}"; fi
exec mpirun -np "$ranks" --host "$HOSTS" --bind-to none -x OMP_WAIT_POLICY=passive "${command[@]}"
