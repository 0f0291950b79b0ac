// What the index has to know of messages that were recorded together. Pure.
#pragma once

#include "storage/records.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace relay::storage {

// A message that begins a call or ends one.
struct CallMark {
  std::int64_t call = 0;
  Sequence sequence = 0;
  bool is_answer = false;
  bool to_agent = false;
};

struct BatchSummary {
  Sequence first = 0;  // 0: no messages; else they are all there is from here
  Sequence last = 0;   // to here
  WallTime newest;
  std::vector<CallMark> calls;
  std::string requests;  // of clients: a line `sequence id` each

  std::int64_t count() const { return first == 0 ? 0 : last - first + 1; }
  // The next message: a MessageRecord or a MessageView.
  template <class Message>
  void add(const Message& message) {
    if (first == 0) first = message.sequence;
    last = message.sequence;
    newest = message.time;
    if (message.call > 0 && message.kind != MessageKind::kNotification) {
      calls.push_back({message.call, message.sequence, message.kind == MessageKind::kResponse,
                       !message.to_client});
    }
    if (message.origin == Origin::kClient && message.kind == MessageKind::kRequest) {
      add_request(message.sequence, message.rpc_id);
    }
  }

 private:
  void add_request(Sequence sequence, std::string_view id);
};

// One line of `requests`, taken off its begin.
struct RequestMark {
  Sequence sequence = 0;
  std::string_view id;
};
RequestMark next_request(std::string_view& requests);

}  // namespace relay::storage
