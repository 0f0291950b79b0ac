// Documents that are made from the table of keys, so that they can't differ from it.
#pragma once

#include <string>

namespace relay::config {

// A complete file with every key at its default, each with what it means and its type in comments.
std::string example_yaml();

// The tables of docs/configuration.md.
std::string reference_markdown();

}  // namespace relay::config
