// Requests of the relay (permissions, elicitations, files) that the editor was shown.
//
// Pure. The relay shows a request again on every connection until it has the answer, and its ids
// begin anew when it does; so the editor gets ids of this side's, and a request that comes again is
// known by its id together with what it says.
#pragma once

#include "protocol/frame.hpp"
#include "protocol/shared_bytes.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay::bridge {

struct Question {
  std::string relay_id;  // JSON text
  std::string session;   // session_of()
  std::optional<std::int64_t> sequence;
  std::size_t digest = 0;  // of what it asks, without the sequence number
  bool awaited = true;     // the relay waits for the answer on the present connection
  bool withdrawn = false;  // the relay needs no answer, but takes one: an agent may wait for it
  SharedBytes answer;      // the relay's id in it; empty: the editor has not answered
};

class Questions {
 public:
  struct Shown {
    std::int64_t number = 0;
    bool again = false;
  };
  // A request came.
  Shown show(const Frame& frame, std::optional<std::int64_t> sequence, std::size_t digest);

  Question* find(std::int64_t number);
  // The number of a request that is awaited, by the relay's id.
  std::optional<std::int64_t> number_of(std::string_view relay_id) const;
  // Its answer is sent as any other, for as long as there is room to wait for it.
  void withdraw(std::int64_t number);
  // The relay has the answer.
  void settle(std::int64_t number);
  // The connection is gone: answers wait until their questions come again.
  void drop();
  void forget_session(std::string_view session);
  void clear();

  // Of answers that wait for their questions, or for the relay to confirm them.
  std::size_t held_bytes() const;

 private:
  void make_room();

  std::map<std::int64_t, Question> questions_;  // by the editor's number
  std::map<std::string, std::int64_t, std::less<>> by_relay_id_;
  std::int64_t next_ = 1;
};

}  // namespace relay::bridge
