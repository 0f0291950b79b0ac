// A file that appears under its name when it is whole, and reading one up to a bound.
#pragma once

#include "base/unique_fd.hpp"
#include "cli/failure.hpp"

#include <cstddef>
#include <string>

namespace relay::cli {

// Written under a temporary name beside the path, mode 0600; put() gives it its name. Without put()
// nothing is left. What is there and no regular file (a pipe, /dev/stdout) is written as it is.
class WholeFile {
 public:
  static Outcome<WholeFile> open(const std::string& path);
  ~WholeFile();
  WholeFile(WholeFile&& other) noexcept;
  WholeFile& operator=(WholeFile&&) = delete;

  int fd() const { return fd_.get(); }
  // On the disk, then under its name.
  Outcome<void> put();

 private:
  WholeFile(UniqueFd fd, std::string temporary, std::string path)
      : fd_(std::move(fd)), temporary_(std::move(temporary)), path_(std::move(path)) {}

  UniqueFd fd_;
  std::string temporary_;  // empty: there is none (any more)
  std::string path_;
};

// The whole of a file, or of standard input for "-". Fails when it is longer than `limit`.
Outcome<std::string> read_whole(const std::string& path, std::size_t limit);

}  // namespace relay::cli
