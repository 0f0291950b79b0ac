// The binary behind main(): parses the command line and runs the command.
#pragma once

namespace relay::cli {

// The exit code of the process.
int run(int argc, char** argv);

}  // namespace relay::cli
