#include "engine/tar.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <numeric>

namespace relay::engine {

namespace {

constexpr std::size_t kBlock = 512;

struct Field {
  std::size_t at, bytes;
};
constexpr Field kName{0, 100}, kMode{100, 8}, kOwner{108, 8}, kGroup{116, 8}, kSize{124, 12},
    kTime{136, 12}, kChecksum{148, 8}, kType{156, 1}, kLink{157, 100}, kMagic{257, 8},
    kOwnerName{265, 32}, kGroupName{297, 32};

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

// Notes about the entry that follows; of what they say only a long target of a link matters here.
bool is_note(char type) { return type == 'x' || type == 'g' || type == 'L' || type == 'K'; }

std::string_view until_nul(std::string_view text) { return text.substr(0, text.find('\0')); }

// "<length> linkpath=<target>\n" among such records; empty: there is none.
std::string_view link_of_records(std::string_view records) {
  constexpr std::string_view kKey = "linkpath=";
  while (!records.empty()) {
    std::size_t length = 0;
    const auto [end, failure] =
        std::from_chars(records.data(), records.data() + records.size(), length);
    const auto digits = static_cast<std::size_t>(end - records.data());
    if (failure != std::errc{} || length < digits + 2 || length > records.size()) return {};
    const std::string_view record = records.substr(digits + 1, length - digits - 2);
    if (record.starts_with(kKey)) return record.substr(kKey.size());
    records.remove_prefix(length);
  }
  return {};
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

}  // namespace

std::optional<ArchiveEntry> first_entry(std::string_view archive) {
  std::string long_target;
  while (archive.size() >= kBlock) {
    const std::string_view header = archive.substr(0, kBlock);
    archive.remove_prefix(kBlock);
    const std::optional<std::uint64_t> size = number(field(header, kSize));
    if (!size || number(field(header, kChecksum)) != checksum(header)) return std::nullopt;
    if (*size > archive.size()) return std::nullopt;
    const char type = header[kType.at];
    const std::string_view content = archive.substr(0, *size);
    if (type == '0' || type == '\0' || type == '7')
      return ArchiveEntry{false, std::string(content)};
    if (type == '2') {
      const std::string_view target = until_nul(field(header, kLink));
      return ArchiveEntry{true, long_target.empty() ? std::string(target) : long_target};
    }
    if (!is_note(type)) return std::nullopt;
    if (type == 'K') long_target = until_nul(content);
    if (type == 'x' && !link_of_records(content).empty()) long_target = link_of_records(content);
    const std::size_t padded = (*size + kBlock - 1) / kBlock * kBlock;
    archive.remove_prefix(std::min(padded, archive.size()));
  }
  return std::nullopt;
}

std::string executable_archive(std::string_view name, std::string_view content) {
  std::string out(kBlock, '\0');
  put(out, kName, name.substr(0, kName.bytes - 1));
  put_octal(out, kMode, 0755);
  put_octal(out, kOwner, 0);
  put_octal(out, kGroup, 0);
  put_octal(out, kSize, content.size());
  put_octal(out, kTime, 0);
  out[kType.at] = '0';
  put(out, kMagic, std::string_view("ustar\00000", 8));
  put(out, kOwnerName, "root");
  put(out, kGroupName, "root");
  put_octal(out, {kChecksum.at, 7}, checksum(out));
  out[kChecksum.at + 7] = ' ';
  out.append(content);
  out.append((kBlock - content.size() % kBlock) % kBlock + 2 * kBlock, '\0');
  return out;
}

}  // namespace relay::engine
