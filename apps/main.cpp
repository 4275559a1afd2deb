#include "apps/program.h"

int main(int argc, char** argv) { return kith::program(argc, argv); }
