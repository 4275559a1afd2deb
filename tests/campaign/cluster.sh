#!/bin/bash
# bench/cluster: what the example scripts start, with programs that only say how they were called.
#   cluster.sh FOLDER_OF_SCRIPTS
set -euo pipefail
scripts=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }
for program in kith srun mpirun; do
  {
    echo '#!/bin/bash'
    echo "echo $program"' "$@" rank ${RANK:-none} size ${WORLD_SIZE:-none} threads ${OMP_NUM_THREADS:-none}'
  } >"$work/$program"
  chmod +x "$work/$program"
done
export PATH=$work:$PATH
expect() { [ "$2" = "$1" ] || fail "expected '$1', found '$2'"; }

expect "kith run --ranks 4 --out r rank none size none threads none" \
  "$(RANK=0 WORLD_SIZE=4 LOCAL_WORLD_SIZE=4 MASTER_ADDR=localhost "$scripts/torchrun.sh" --out r)"
expect "" "$(RANK=3 WORLD_SIZE=4 LOCAL_WORLD_SIZE=4 "$scripts/torchrun.sh" --out r)"
started="mpirun -np 8 --host a:4,b:4 --bind-to none -x OMP_WAIT_POLICY=passive kith run --ranks 8 --out r"
expect "$started rank none size none threads none" \
  "$(RANK=0 WORLD_SIZE=8 LOCAL_WORLD_SIZE=4 HOSTS=a:4,b:4 "$scripts/torchrun.sh" --out r)"
if said=$(RANK=0 WORLD_SIZE=8 LOCAL_WORLD_SIZE=4 MASTER_ADDR=a "$scripts/torchrun.sh" --out r 2>&1); then
  fail "8 processes, 4 of them here, no HOSTS"
fi
expect "torchrun.sh: 8 processes, 4 of them here (MASTER_ADDR a): name the machines in HOSTS=a:4,b:4" "$said"
if said=$(RANK=0 "$scripts/torchrun.sh" 2>&1); then fail "no WORLD_SIZE"; fi
case $said in *"WORLD_SIZE: is not set"*) ;; *) fail "$said" ;; esac

expect "srun --mpi=pmix --cpu-bind=cores kith run --ranks 6 --out r rank none size none threads 8" \
  "$(SLURM_NTASKS=6 SLURM_CPUS_PER_TASK=8 bash "$scripts/slurm.sh" --out r)"
if said=$(bash "$scripts/slurm.sh" 2>&1); then fail "outside of a job"; fi
case $said in *"SLURM_NTASKS: is not set"*) ;; *) fail "$said" ;; esac
echo "passed"
