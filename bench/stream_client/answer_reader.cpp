#include "stream_client/answer_reader.hpp"

#include "common/failure.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <system_error>

namespace relay::bench {

namespace {

bool says_chunked(std::string_view line) {
  std::string text(line);
  std::ranges::transform(text, text.begin(), [](unsigned char letter) {
    return static_cast<char>(std::tolower(letter));
  });
  return text.starts_with("transfer-encoding:") && text.find("chunked") != std::string::npos;
}

std::uint64_t chunk_size(std::string_view line) {
  std::uint64_t size = 0;
  const auto [stop, error] = std::from_chars(line.data(), line.data() + line.size(), size, 16);
  if (error != std::errc() || stop == line.data()) {
    fail("not the size of a chunk: " + std::string(line.substr(0, 80)));
  }
  return size;
}

}  // namespace

void AnswerReader::begin_another() {
  state_ = State::kStatus;
  is_chunked_ = false;
  payload_ = 0;
}

void AnswerReader::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    if (state_ == State::kComplete) fail("bytes behind the answer: " + std::string(bytes));
    if (state_ == State::kChunk) {
      const std::size_t here = std::min<std::uint64_t>(left_, bytes.size());
      bytes.remove_prefix(here);
      payload_ += here;
      left_ -= here;
      if (left_ == 0) state_ = State::kChunkEnd;
      continue;
    }
    const std::size_t end = bytes.find('\n');
    if (end == std::string_view::npos) {
      begun_.append(bytes);
      return;
    }
    std::string_view line = bytes.substr(0, end);
    bytes.remove_prefix(end + 1);
    if (!begun_.empty()) line = begun_.append(line);
    if (line.ends_with('\r')) line.remove_suffix(1);
    take_line(line);
    begun_.clear();
  }
}

void AnswerReader::take_line(std::string_view line) {
  switch (state_) {
    case State::kStatus:
      if (!line.starts_with("HTTP/1.1 200")) fail("instead of an answer: " + std::string(line));
      state_ = State::kHeaders;
      return;
    case State::kHeaders:
      if (says_chunked(line)) is_chunked_ = true;
      if (!line.empty()) return;
      if (!is_chunked_) fail("an answer that is not chunked");
      state_ = State::kChunkSize;
      return;
    case State::kChunkSize:
      left_ = chunk_size(line);
      state_ = left_ > 0 ? State::kChunk : State::kTrailers;
      return;
    case State::kChunkEnd:
      state_ = State::kChunkSize;
      return;
    case State::kTrailers:
      if (line.empty()) state_ = State::kComplete;
      return;
    case State::kChunk:
    case State::kComplete:
      return;
  }
}

}  // namespace relay::bench
