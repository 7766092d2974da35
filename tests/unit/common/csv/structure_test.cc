#include "common/csv/structure.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace millrace::csv {
namespace {

std::vector<std::size_t> Positions(Structure& structure) {
  std::vector<std::size_t> positions;
  for (std::size_t at = structure.Next(); at != Structure::kNone; at = structure.Next()) {
    positions.push_back(at);
  }
  return positions;
}

std::string Padded(std::string text) {
  return text.append(Structure::kPadding, '\0');
}

TEST(StructureTest, FindsEveryStructuralByteWhereverItStands) {
  for (std::size_t at = 0; at < 200; ++at) {
    for (const char byte : {';', '"', '\r', '\n'}) {
      std::string text(200, 'x');
      text[at] = byte;
      const std::string padded = Padded(text);
      Structure structure(padded.data(), text.size(), ';');

      EXPECT_EQ(Positions(structure), std::vector<std::size_t>{at}) << byte;
    }
  }
}

TEST(StructureTest, DoesNotLookBeyondTheEnd) {
  const std::string padded = Padded("a,b,c");
  Structure structure(padded.data(), 3, ',');

  EXPECT_EQ(Positions(structure), std::vector<std::size_t>{1});
}

TEST(StructureTest, SeekGoesOnAtThePositionItself) {
  const std::string text(130, ',');
  const std::string padded = Padded(text);
  for (const std::size_t from : {0U, 1U, 63U, 64U, 65U, 129U}) {
    Structure structure(padded.data(), text.size(), ',');
    structure.Seek(from);

    EXPECT_EQ(structure.Next(), from);
    EXPECT_EQ(Positions(structure).size(), text.size() - from - 1);
  }
  Structure structure(padded.data(), text.size(), ',');
  structure.Seek(130);
  EXPECT_EQ(structure.Next(), Structure::kNone);
}

}  // namespace
}  // namespace millrace::csv
