#include "services/training/runs/report_frames.h"

#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <google/protobuf/util/delimited_message_util.h>
#include <gtest/gtest.h>

#include "tests/unit/services/training/fails.h"

namespace millrace::training {
namespace {

std::string FrameOf(const std::string& note) {
  v1::WorkerReport report;
  report.set_note(note);
  std::ostringstream stream;
  google::protobuf::util::SerializeDelimitedToOstream(report, &stream);
  return stream.str();
}

TEST(ReportFramesTest, ReportsComeOutHoweverTheBytesComeIn) {
  // The second is long enough for a size of two bytes.
  const std::string bytes = FrameOf("a") + FrameOf(std::string(300, 'b')) + FrameOf("c");
  for (std::size_t portion = 1; portion <= bytes.size(); ++portion) {
    ReportFrames frames;
    std::vector<std::string> notes;
    for (std::size_t first = 0; first < bytes.size(); first += portion) {
      const auto reports = frames.Take(std::string_view(bytes).substr(first, portion));
      ASSERT_TRUE(reports.ok()) << reports.status();
      for (const v1::WorkerReport& report : *reports) {
        notes.push_back(report.note());
      }
    }
    EXPECT_THAT(notes, testing::ElementsAre("a", std::string(300, 'b'), "c")) << portion;
    EXPECT_TRUE(frames.empty());
  }
}

TEST(ReportFramesTest, AnIncompleteReportWaits) {
  ReportFrames frames;
  const std::string bytes = FrameOf("later");

  EXPECT_TRUE(frames.Take(bytes.substr(0, 3))->empty());
  EXPECT_FALSE(frames.empty());
  EXPECT_EQ(frames.Take(bytes.substr(3))->at(0).note(), "later");
}

TEST(ReportFramesTest, ASizeOverTheLimitIsRefusedBeforeItsBytesCome) {
  ReportFrames frames;

  EXPECT_THAT(frames.Take("\xff\xff\xff\x7f"),
              Fails(absl::StatusCode::kDataLoss, "its size would be 268435455"));
}

TEST(ReportFramesTest, BytesThatAreNoReportAreRefused) {
  EXPECT_THAT(ReportFrames().Take(std::string(200, 'y')),
              Fails(absl::StatusCode::kDataLoss, "no report"));
  EXPECT_THAT(ReportFrames().Take("\xff\xff\xff\xff\xff\xff"),
              Fails(absl::StatusCode::kDataLoss, "no report"));
  EXPECT_THAT(ReportFrames().Take(std::string(1, '\0')),
              Fails(absl::StatusCode::kDataLoss, "no report"));
}

}  // namespace
}  // namespace millrace::training
