#include "backend/docker/input_pieces.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace relay {
namespace {

std::vector<std::string> pieces_of(std::string_view lines) {
  std::vector<std::string> pieces;
  while (!lines.empty() && pieces.size() < 100) {
    pieces.emplace_back(next_piece(lines));
    lines.remove_prefix(pieces.back().size());
  }
  return pieces;
}

TEST(InputPieces, AreOneOfMessagesThatAreTakenWhole) {
  EXPECT_EQ(pieces_of("{1}\n{2}\n"), std::vector<std::string>{"{1}\n{2}\n"});
  const std::string most = std::string(kTakenWhole - 1, 'x') + "\n";
  EXPECT_EQ(pieces_of(most), std::vector<std::string>{most});
}

TEST(InputPieces, EndAtTheEndOfAMessage) {
  const std::string half = std::string(kTakenWhole / 2, 'x') + "\n";
  EXPECT_EQ(pieces_of(half + half + half), (std::vector<std::string>{half, half, half}));
}

TEST(InputPieces, KeepALargeMessageApartFromItsNewline) {
  const std::string large(kTakenWhole, 'x');
  EXPECT_EQ(pieces_of("{1}\n" + large + "\n{2}\n"),
            (std::vector<std::string>{"{1}\n", large, "\n{2}\n"}));
  EXPECT_EQ(pieces_of(large + " \r\t \n"), (std::vector<std::string>{large, " \r\t \n"}))
      << "a message is whole without its last blanks";
}

TEST(InputPieces, ComeToAnEndWhateverTheyAreOf) {
  const std::string blanks = std::string(2 * kTakenWhole, ' ') + "\n";
  EXPECT_EQ(pieces_of(blanks), std::vector<std::string>{blanks});
}

}  // namespace
}  // namespace relay
