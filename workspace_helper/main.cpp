// acp-workspace-helper: makes and removes the directories of a session with rights that the relay
// may not have itself.
//
//   acp-workspace-helper make UID GID DIRECTORY...   each mode 0700, owned by UID:GID; those above
//                                                    a directory stand before it
//   acp-workspace-helper remove DIRECTORY...         with all that is in them
//   acp-workspace-helper copy BYTES FROM TO ...      what is in each FROM, into the TO behind it;
//                                                    not more than BYTES together (tree_copy.hpp)
//
// The relay runs it as a child process, or as root in a container of its own with nothing but the
// session's directory mounted; therefore it is one static program without libraries beside it. It
// follows no symbolic link and stays on the file system that it was given. Ends with 0, or with 1
// and the failures on stderr; with 2 when it is called wrongly, with 3 when a copy is too large.

#include "tree_copy.hpp"
#include "tree_removal.hpp"

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

namespace {

int failed(const char* what, const char* path, int error) {
  std::fprintf(stderr, "%s %s: %s\n", what, path, std::strerror(error));
  return 1;
}

// A whole number up to `most`.
std::optional<std::uint64_t> number(std::string_view text, std::uint64_t most) {
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size() || value > most) {
    return std::nullopt;
  }
  return value;
}

std::optional<std::uint32_t> id(std::string_view text) {
  const auto value = number(text, std::numeric_limits<std::int32_t>::max());
  return value ? std::optional(static_cast<std::uint32_t>(*value)) : std::nullopt;
}

// Nobody but the caller can reach into a directory before those above it are given away: whoever
// has the user's uid already could put a link in the place of one and have the next made elsewhere.
int make(uid_t uid, gid_t gid, char** directories) {
  char** end = directories;
  for (; *end != nullptr; ++end) {
    if (::mkdir(*end, 0700) != 0) return failed("cannot make", *end, errno);
  }
  while (end != directories) {
    --end;
    if (::lchown(*end, uid, gid) != 0) return failed("cannot give away", *end, errno);
  }
  return 0;
}

// One that can't be removed keeps none of the others.
int remove(char** directories) {
  int result = 0;
  for (char** directory = directories; *directory != nullptr; ++directory) {
    const int error = remove_tree(*directory);
    if (error != 0) result = failed("cannot remove everything in", *directory, error);
  }
  return result;
}

int copy(std::uint64_t most, char** directories) {
  CopyBudget budget{most};
  for (; *directories != nullptr; directories += 2) {
    const int error = copy_tree(directories[0], directories[1], budget);
    if (error == 0) continue;
    failed("cannot copy everything in", directories[0], error);
    return error == EFBIG ? 3 : 1;
  }
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  ::umask(0);
  if (count >= 5 && std::strcmp(arguments[1], "make") == 0) {
    const auto uid = id(arguments[2]);
    const auto gid = id(arguments[3]);
    if (uid && gid) return make(*uid, *gid, arguments + 4);
  }
  if (count >= 3 && std::strcmp(arguments[1], "remove") == 0) return remove(arguments + 2);
  if (count >= 5 && count % 2 == 1 && std::strcmp(arguments[1], "copy") == 0) {
    const auto most = number(arguments[2], std::numeric_limits<std::int64_t>::max());
    if (most) return copy(*most, arguments + 3);
  }
  std::fputs(
      "usage: acp-workspace-helper make UID GID DIRECTORY... | remove DIRECTORY... | "
      "copy BYTES FROM TO ...\n",
      stderr);
  return 2;
}
