// The table of keys: the one place where a key of the configuration exists. Loading, environment
// overrides, printing, the reference and the example file all follow it, in its order.
#pragma once

#include "config/codec.hpp"
#include "config/config.hpp"
#include "config/value.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace relay::config {

// The least value of a duration that may be 0, and of one that may not.
constexpr std::chrono::milliseconds kNone{0};
constexpr std::chrono::milliseconds kSome{1};

// What a change of a key takes while the relay runs.
enum class Reloading { kNeedsRestart, kAtOnce };

struct Key {
  std::string path;   // "server.tls.cert"
  std::string alias;  // another full path for the same key, or empty
  std::string type;
  std::string doc;
  Secrecy secrecy = Secrecy::kOpen;  // of the whole; parts say theirs as they are written
  Reloading reload = Reloading::kNeedsRestart;
  bool is_duration = false;  // also answers to its name with "_seconds"
  std::function<void(const Value&, Config&, Complaints&)> read;
  std::function<Value(const Config&)> write;
  std::function<bool(const Config&, const Config&)> is_same;
  std::function<void(const Config& from, Config& to)> copy;
};

const std::vector<Key>& all_keys();

// By path, alias, or the "_seconds" spelling; null when there is none.
const Key* find_key(std::string_view path);

// Every spelling that find_key knows.
std::vector<std::string> spellings(const Key& key);

// True when keys lie below `path`: "server", "server.tls".
bool is_section(std::string_view path);

// Sections and what they are for, in the order of the table.
struct SectionDoc {
  std::string path;
  std::string doc;
};
const std::vector<SectionDoc>& section_docs();

// Collects the keys of one struct of Config. `Of` maps a Config (const or not) to the struct.
template <class Of>
class Section {
 public:
  Section(std::vector<Key>& keys, std::string prefix, Of of)
      : keys_(keys), prefix_(std::move(prefix)), of_(of) {}

  template <class S, class T>
  Key& operator()(const std::string& name, T S::*member, Codec<T> codec, std::string doc) {
    Key key;
    key.path = prefix_ + name;
    key.type = codec.type;
    key.doc = std::move(doc);
    key.is_duration = std::is_same_v<T, Milliseconds>;
    key.read = [of = of_, member, read = codec.read](const Value& value, Config& config,
                                                     Complaints& complaints) {
      read(value, of(config).*member, complaints);
    };
    key.write = [of = of_, member, write = codec.write](const Config& config) {
      return write(of(config).*member);
    };
    key.is_same = [of = of_, member](const Config& one, const Config& other) {
      return of(one).*member == of(other).*member;
    };
    key.copy = [of = of_, member](const Config& from, Config& to) {
      of(to).*member = of(from).*member;
    };
    keys_.push_back(std::move(key));
    return keys_.back();
  }

 private:
  std::vector<Key>& keys_;
  std::string prefix_;
  Of of_;
};

void add_container_keys(std::vector<Key>& keys);
void add_egress_keys(std::vector<Key>& keys);

}  // namespace relay::config
