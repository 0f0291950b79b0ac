// Every reader of the Engine's answers bears any input: it gives a value or an error that a person
// can act on, of bounded size, and never throws.
#include "engine/image_reference.hpp"
#include "engine/readers.hpp"
#include "engine/refusal_rules.hpp"
#include "engine/tar.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

template <class R>
void check(const R& result) {
  if (result) return;
  const relay::Error& error = result.error();
  if (error.explanation.empty() || error.suggested_actions.empty()) std::abort();
  if (error.explanation.size() + error.details.size() > 2000) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relay::engine;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check(read_version(text));
  check(read_info(text));
  check(read_image(text));
  check(read_created(text));
  check(read_container(text));
  check(read_list(text));
  check(read_usage(text));
  check(read_wait(text));
  check(read_event(text));
  check(read_pull_line(text));
  const std::string message = refusal(text);
  if (message.size() > 2010) std::abort();
  if (refused("create the container", 400, message).suggested_actions.empty()) std::abort();
  if (const auto entry = first_entry(text); entry && entry->content.size() > size) std::abort();
  if (const auto image = split_image(text); image) {
    if (image->name.empty() || image->tag.empty()) std::abort();
    if (image->name.find("..") != std::string::npos) std::abort();
  }
  return 0;
}
