// Why a directory or file of the host must not be mounted for an agent.
//
// It goes by names: links are the caller's to resolve. own_places() takes relative paths of the
// configuration from where the process was started; the rest is pure.
#pragma once

#include "config/config.hpp"

#include <string>
#include <vector>

namespace relay::config {

enum class Access { kRead, kWrite };

// What the relay has on the host and no agent may have.
struct OwnPlace {
  std::string path;      // absolute, without . and ..
  std::string what;      // "the database (database.path)"
  bool is_file = false;  // then what begins with its name and - or . belongs to it: a journal
  bool operator==(const OwnPlace&) const = default;
};

// The directories of all sessions, the database, the key of TLS, the files of
// credentials, the configuration's file, and the Engine's sockets that the configuration names.
std::vector<OwnPlace> own_places(const Config& config);

// Whether `path` is, holds or lies in one of `own`, or gives the host away otherwise: the whole
// file system, the kernel's trees, an Engine, keys and passwords, and with kWrite what root runs or
// believes. Empty: nothing speaks against it.
std::string danger_of(const std::string& path, Access access, const std::vector<OwnPlace>& own);

// Absolute, without . and .. and without a slash at its end.
std::string normal_path(const std::string& path);

// Whether `path` is `directory` or lies in it; both normal.
bool is_within(const std::string& directory, const std::string& path);

}  // namespace relay::config
