#include "common/audit/line.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/status/status.h"

namespace millrace::audit {
namespace {

using testing::HasSubstr;

const std::chrono::system_clock::time_point kTime{std::chrono::milliseconds(1'798'761'600'007)};

Change Delete() {
  return {.caller = "ana",
          .request_id = "r-1",
          .method = "millrace.data.v1.DataService/DeleteDataset",
          .resource = "datasets/iris",
          .outcome = "OK"};
}

TEST(LineTest, SaysWhoDidWhatWhenAndHowItEnded) {
  Position position;
  const auto json = nlohmann::json::parse(FormatLine(Delete(), kTime, position));

  EXPECT_EQ(json["sequence"], 1);
  EXPECT_EQ(json["time"], "2027-01-01T00:00:00.007Z");
  EXPECT_EQ(json["caller"], "ana");
  EXPECT_EQ(json["request_id"], "r-1");
  EXPECT_EQ(json["method"], "millrace.data.v1.DataService/DeleteDataset");
  EXPECT_EQ(json["resource"], "datasets/iris");
  EXPECT_EQ(json["outcome"], "OK");
  EXPECT_EQ(json["previous"], std::string(64, '0'));
  EXPECT_EQ(json["digest"], position.digest);
  EXPECT_EQ(position.sequence, 1);
}

TEST(LineTest, HoldsTheLineBefore) {
  Position position;
  FormatLine(Delete(), kTime, position);
  const std::string first = position.digest;
  const auto json = nlohmann::json::parse(FormatLine(Delete(), kTime, position));

  EXPECT_EQ(json["sequence"], 2);
  EXPECT_EQ(json["previous"], first);
}

TEST(LineTest, NoValueCanBeginALineOrAKey) {
  const std::string attack = "x\r\n{\"sequence\":9}\x1b[2J\",\"caller\":\"root\xff\xe2\x80\xa8\0y";
  Change change = Delete();
  change.resource = attack;
  change.caller = attack;
  Position position;
  const std::string line = FormatLine(change, kTime, position);

  EXPECT_TRUE(std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c <= '~'; }));
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json.size(), 9U);
  EXPECT_EQ(json["sequence"], 1);
  EXPECT_THAT(json["caller"].get<std::string>(), HasSubstr("root"));
  Position reader;
  EXPECT_TRUE(FollowLine(line, reader).ok());
}

TEST(LineTest, CutsALongValueBeforeACharacter) {
  Change change = Delete();
  change.outcome = std::string(255, 'x') + "\xC3\xA9" + std::string(1'000'000, 'x');
  Position position;
  const auto json = nlohmann::json::parse(FormatLine(change, kTime, position));

  EXPECT_EQ(json["outcome"], std::string(255, 'x') + "...");
}

TEST(FollowLineTest, FollowsWhatWasWritten) {
  Position writer;
  Position reader;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(FollowLine(FormatLine(Delete(), kTime, writer), reader).ok());
  }
  EXPECT_EQ(reader.sequence, 3);
  EXPECT_EQ(reader.digest, writer.digest);
}

TEST(FollowLineTest, NoticesEveryFlippedBit) {
  Position writer;
  const std::string line = FormatLine(Delete(), kTime, writer);
  for (std::size_t bit = 0; bit < line.size() * 8; ++bit) {
    std::string flipped = line;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    Position reader;
    EXPECT_EQ(FollowLine(flipped, reader).code(), absl::StatusCode::kDataLoss) << bit;
    EXPECT_EQ(reader.sequence, 0) << bit;
  }
}

TEST(FollowLineTest, SaysWhyALineIsNotTheNextOne) {
  Position writer;
  const std::string first = FormatLine(Delete(), kTime, writer);
  const std::string second = FormatLine(Delete(), kTime, writer);
  Position reader;
  EXPECT_THAT(std::string(Message(FollowLine(second, reader))),
              HasSubstr("expected sequence 1, found 2"));
  EXPECT_THAT(std::string(Message(FollowLine("", reader))), HasSubstr("end with its digest"));
  ASSERT_TRUE(FollowLine(first, reader).ok());
  EXPECT_THAT(std::string(Message(FollowLine(first, reader))),
              HasSubstr("expected sequence 2, found 1"));

  // A line that is whole in itself, but of another log.
  Position other = {.sequence = 1, .digest = std::string(64, 'a')};
  const std::string foreign = FormatLine(Delete(), kTime, other);
  EXPECT_THAT(std::string(Message(FollowLine(foreign, reader))),
              HasSubstr("does not continue the one before"));
}

}  // namespace
}  // namespace millrace::audit
