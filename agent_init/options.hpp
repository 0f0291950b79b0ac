// The command line of acp-agent-init. Pure.
#pragma once

#include <netinet/in.h>
#include <variant>

struct Options {
  sockaddr_in listen = {};       // loopback, with a port
  const char* socket = nullptr;  // path of the relay's Unix socket, which need not be there
  int max_connections = 256;     // at one time; 1 to 4096
  char** command = nullptr;      // with its arguments, ended by a null pointer; never empty
};

enum class Question { kHelp, kVersion };

// What is wrong with the command line: a sentence, and the argument that it is about.
struct Misuse {
  const char* what;
  const char* argument;
};

// Points into `arguments`, which are those of main().
std::variant<Options, Question, Misuse> parse_options(char** arguments);
