#include "cli/run.hpp"

int main(int argc, char** argv) { return relay::cli::run(argc, argv); }
