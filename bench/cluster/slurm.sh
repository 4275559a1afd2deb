#!/bin/bash
# A run by the ranks of a SLURM job:   sbatch bench/cluster/slurm.sh --data cifar10:/data/cifar10 --out runs/a
# Any options of kith run; the data set stands under the same name on every machine, the run directory on the first alone.
# Two minutes before its time is over the job gets SIGUSR1: ranks save and stop, and the same line continues.
#SBATCH --job-name=kith
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --time=04:00:00
#SBATCH --signal=USR1@120
set -euo pipefail
: "${SLURM_NTASKS:?is not set: start this by sbatch}"
export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1} OMP_WAIT_POLICY=passive
# PMIx is what Open MPI's ranks find each other by. Where srun --mpi=list does not name it, each would be "rank 0 of 1", which
# --ranks refuses.
exec srun --mpi=pmix --cpu-bind=cores "${KITH:-kith}" run --ranks "$SLURM_NTASKS" "$@"
