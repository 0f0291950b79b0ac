#include "engine/tar.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>

namespace relay::engine {

namespace {

constexpr std::size_t kBlock = 512;

struct Field {
  std::size_t at, bytes;
};
constexpr Field kName{0, 100}, kMode{100, 8}, kOwner{108, 8}, kGroup{116, 8}, kSize{124, 12},
    kTime{136, 12}, kChecksum{148, 8}, kType{156, 1}, kLink{157, 100}, kMagic{257, 8},
    kPrefix{345, 155};

std::string_view field(std::string_view header, Field where) {
  return header.substr(where.at, where.bytes);
}

// Octal digits between blanks and zeros, or base 256 with the top bit set.
std::optional<std::uint64_t> number(std::string_view text) {
  const auto byte = [](char c) { return static_cast<unsigned char>(c); };
  std::uint64_t value = 0;
  if (byte(text.front()) == 0x80) {
    for (const char c : text.substr(1)) {
      if (value >> 48U != 0) return std::nullopt;
      value = value << 8U | byte(c);
    }
    return value;
  }
  const std::string_view blanks(" \0", 2);
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return 0;
  text.remove_prefix(first);
  text = text.substr(0, text.find_first_of(blanks));
  for (const char c : text) {
    if (c < '0' || c > '7') return std::nullopt;
    value = value << 3U | static_cast<unsigned>(c - '0');
  }
  return value;
}

// The sum of the header's bytes, with blanks for the checksum itself.
std::uint64_t checksum(std::string_view header) {
  std::uint64_t sum = kChecksum.bytes * ' ';
  for (std::size_t i = 0; i < header.size(); ++i) {
    const bool is_own = i >= kChecksum.at && i < kChecksum.at + kChecksum.bytes;
    if (!is_own) sum += static_cast<unsigned char>(header[i]);
  }
  return sum;
}

bool is_zero(std::string_view block) { return block.find_first_not_of('\0') == block.npos; }

std::size_t padding(std::size_t size) { return (kBlock - size % kBlock) % kBlock; }

std::string_view until_nul(std::string_view text) { return text.substr(0, text.find('\0')); }

// Notes say of the entry that follows what has no room in its header.
struct Notes {
  std::string path, target;  // empty: the header's

  void take(char type, std::string_view content) {
    if (type == 'L') path = until_nul(content);
    if (type == 'K') target = until_nul(content);
    if (type == 'x') take_records(content);
  }

 private:
  // "<length> <key>=<value>\n" among such records.
  void take_records(std::string_view records) {
    while (!records.empty()) {
      std::size_t length = 0;
      const auto [end, failure] =
          std::from_chars(records.data(), records.data() + records.size(), length);
      const auto digits = static_cast<std::size_t>(end - records.data());
      if (failure != std::errc{} || length < digits + 2 || length > records.size()) return;
      const std::string_view record = records.substr(digits + 1, length - digits - 2);
      const std::size_t equals = record.find('=');
      const std::string_view key = record.substr(0, equals);
      if (equals != record.npos && key == "path") path = record.substr(equals + 1);
      if (equals != record.npos && key == "linkpath") target = record.substr(equals + 1);
      records.remove_prefix(length);
    }
  }
};

bool is_note(char type) { return type == 'x' || type == 'g' || type == 'L' || type == 'K'; }

// Links, devices and directories have no content, whatever their size says.
bool has_content(char type) { return type < '1' || type > '6'; }

TarEntry::Kind kind_of(char type, std::string_view path) {
  using Kind = TarEntry::Kind;
  switch (type) {
    case '\0':
    case '0':
    case '7':
      return path.ends_with('/') ? Kind::kDirectory : Kind::kFile;
    case '1':
      return Kind::kHardLink;
    case '2':
      return Kind::kLink;
    case '5':
      return Kind::kDirectory;
    default:
      return Kind::kOther;
  }
}

char type_of(TarEntry::Kind kind) {
  switch (kind) {
    case TarEntry::Kind::kHardLink:
      return '1';
    case TarEntry::Kind::kLink:
      return '2';
    case TarEntry::Kind::kDirectory:
      return '5';
    default:
      return '0';
  }
}

std::string path_in(std::string_view header) {
  const std::string name(until_nul(field(header, kName)));
  const std::string_view prefix = until_nul(field(header, kPrefix));
  const bool has_prefix = field(header, kMagic).starts_with(std::string_view("ustar\0", 6));
  return has_prefix && !prefix.empty() ? std::string(prefix) + "/" + name : name;
}

void put(std::string& header, Field where, std::string_view text) {
  header.replace(where.at, text.size(), text);
}

void put_octal(std::string& header, Field where, std::uint64_t value) {
  std::array<char, 24> digits{};
  std::snprintf(digits.data(), digits.size(), "%0*llo", static_cast<int>(where.bytes - 1),
                static_cast<unsigned long long>(value));
  put(header, where, digits.data());
}

// A record of a note; its length counts its own digits.
std::string record(std::string_view key, std::string_view value) {
  const std::size_t fixed = key.size() + value.size() + 3;
  std::size_t length = fixed + 1;
  while (std::to_string(length).size() + fixed > length) ++length;
  return std::to_string(length) + " " + std::string(key) + "=" + std::string(value) + "\n";
}

std::uint64_t largest(Field where) { return (std::uint64_t{1} << 3U * (where.bytes - 1)) - 1; }

// Numbers and texts that have no room are those of a note before it.
void append(std::string& out, char type, const TarEntry& entry, TarOwner owner) {
  std::string header(kBlock, '\0');
  const auto fitting = [](std::uint64_t number, Field where) {
    return number <= largest(where) ? number : 0;
  };
  put(header, kName, std::string_view(entry.path).substr(0, kName.bytes));
  put(header, kLink, std::string_view(entry.target).substr(0, kLink.bytes));
  put_octal(header, kMode, entry.mode & 07777U);
  put_octal(header, kOwner, fitting(owner.uid, kOwner));
  put_octal(header, kGroup, fitting(owner.gid, kGroup));
  put_octal(header, kSize, entry.content.size());
  put_octal(header, kTime, fitting(entry.time, kTime));
  header[kType.at] = type;
  put(header, kMagic, std::string_view("ustar\00000", 8));
  put_octal(header, {kChecksum.at, 7}, checksum(header));
  header[kChecksum.at + 7] = ' ';
  out.append(header).append(entry.content).append(padding(entry.content.size()), '\0');
}

std::string notes_about(const TarEntry& entry, TarOwner owner) {
  std::string records;
  if (entry.path.size() > kName.bytes) records += record("path", entry.path);
  if (entry.target.size() > kLink.bytes) records += record("linkpath", entry.target);
  if (owner.uid > largest(kOwner)) records += record("uid", std::to_string(owner.uid));
  if (owner.gid > largest(kGroup)) records += record("gid", std::to_string(owner.gid));
  return records;
}

}  // namespace

std::optional<TarEntry> TarReader::fail() {
  rest_ = {};
  damaged_ = true;
  return std::nullopt;
}

std::optional<TarEntry> TarReader::next() {
  Notes notes;
  while (!rest_.empty()) {
    if (rest_.size() < kBlock) return fail();
    const std::string_view header = rest_.substr(0, kBlock);
    if (is_zero(header)) break;
    rest_.remove_prefix(kBlock);
    const char type = header[kType.at];
    const std::optional<std::uint64_t> said = number(field(header, kSize));
    if (!said || number(field(header, kChecksum)) != checksum(header)) return fail();
    const std::size_t size = has_content(type) ? *said : 0;
    if (size > rest_.size()) return fail();
    const std::string_view content = rest_.substr(0, size);
    rest_.remove_prefix(std::min(size + padding(size), rest_.size()));
    if (is_note(type)) {
      notes.take(type, content);
      continue;
    }
    TarEntry entry;
    entry.path = notes.path.empty() ? path_in(header) : std::move(notes.path);
    entry.target = notes.target.empty() ? std::string(until_nul(field(header, kLink)))
                                        : std::move(notes.target);
    entry.kind = kind_of(type, entry.path);
    entry.mode = static_cast<unsigned>(number(field(header, kMode)).value_or(0) & 07777U);
    entry.time = number(field(header, kTime)).value_or(0);
    entry.content = content;
    return entry;
  }
  rest_ = {};
  return std::nullopt;
}

std::string archive_of(const std::vector<TarEntry>& entries, TarOwner owner) {
  std::string out;
  for (const TarEntry& entry : entries) {
    const std::string notes = notes_about(entry, owner);
    if (!notes.empty()) {
      TarEntry note;
      note.path = "note";
      note.content = notes;
      append(out, 'x', note, TarOwner{});
    }
    append(out, type_of(entry.kind), entry, owner);
  }
  return out.append(2 * kBlock, '\0');
}

std::optional<ArchiveEntry> first_entry(std::string_view archive) {
  const std::optional<TarEntry> entry = TarReader(archive).next();
  if (!entry) return std::nullopt;
  if (entry->kind == TarEntry::Kind::kFile) return ArchiveEntry{false, std::string(entry->content)};
  if (entry->kind == TarEntry::Kind::kLink) return ArchiveEntry{true, entry->target};
  return std::nullopt;
}

std::string executable_archive(std::string_view name, std::string_view content) {
  TarEntry program;
  program.path = name;
  program.mode = 0755;
  program.content = content;
  return archive_of({program}, TarOwner{});
}

}  // namespace relay::engine
