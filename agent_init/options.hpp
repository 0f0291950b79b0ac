// The command line of acp-agent-init. Pure.
#pragma once

#include <netinet/in.h>
#include <sys/un.h>
#include <variant>

// Where a Unix socket is: at a path, or at a name of the container's own.
struct SocketAddress {
  sockaddr_un address = {};
  socklen_t size = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

struct Options {
  sockaddr_in listen = {};    // loopback, with a port
  SocketAddress socket;       // behind which the relay is; it need not be there
  int max_connections = 256;  // at one time; 1 to 4096
  char** command = nullptr;   // with its arguments, ended by a null pointer; never empty
};

// To be what is at the socket of another one's Options.
struct CarryOptions {
  SocketAddress socket;
  int max_connections = 256;
};

enum class Question { kHelp, kVersion };

// What is wrong with the command line: a sentence, and the argument that it is about.
struct Misuse {
  const char* what;
  const char* argument;
};

// Points into `arguments`, which are those of main().
std::variant<Options, CarryOptions, Question, Misuse> parse_options(char** arguments);
