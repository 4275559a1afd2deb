// kith_simt: runs one CUDA kernel on the CPU and shows its traffic beside the cost that its contract states.
#include <iostream>

#include "bench/study/simt/study.h"

int main(int argc, char** argv) { return kith::study::command({argv + 1, argv + argc}, std::cout, std::cerr); }
