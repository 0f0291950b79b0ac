// Becoming the agent's command.
#pragma once

constexpr int kOwnFailure = 125;  // as of docker run: the command was not tried
constexpr int kCannotRun = 126;
constexpr int kNotFound = 127;

// Replaces this process by the command, which is looked for in PATH when its name has no slash.
// Otherwise says why not on stderr, and returns kCannotRun or kNotFound.
//
// Unlike execvp() it does not give a file that no kernel can run to /bin/sh: mostly that is a
// program for another processor, and a shell's complaint about it helps nobody.
int become_command(char** command);
