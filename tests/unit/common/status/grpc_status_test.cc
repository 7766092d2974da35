#include "common/status/grpc_status.h"

#include <chrono>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "common/status/status.h"
#include "google/rpc/status.pb.h"

namespace millrace {
namespace {

TEST(GrpcStatusTest, CodeMessageAndFixSurviveTheWayThereAndBack) {
  const absl::Status sent = WithFix(FailedPrecondition("the run has ended"), "start another");

  const absl::Status received = FromGrpcStatus(ToGrpcStatus(sent));

  EXPECT_EQ(received.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Message(received), "the run has ended");
  EXPECT_EQ(Fix(received), "start another");
}

TEST(GrpcStatusTest, HowLongToWaitSurvivesBesideTheFix) {
  const absl::Status sent =
      WithRetry(WithFix(ResourceExhausted("the queue is full"), "wait"), std::chrono::seconds(60));

  const absl::Status received = Annotate(FromGrpcStatus(ToGrpcStatus(sent)), "uploading");

  EXPECT_EQ(RetryAfter(received), std::chrono::seconds(60));
  EXPECT_EQ(Fix(received), "wait");
  EXPECT_EQ(RetryAfter(NotFound("gone")), std::nullopt);
}

// Go's and Java's clients take the text from the details.
TEST(GrpcStatusTest, TheDetailsHaveCodeAndMessageWithAndWithoutAFix) {
  for (const absl::Status& sent :
       {NotFound("there is no such model"), WithFix(NotFound("there is no such model"), "look")}) {
    google::rpc::Status details;
    ASSERT_TRUE(details.ParseFromString(ToGrpcStatus(sent).error_details()));
    EXPECT_EQ(details.code(), 5);
    EXPECT_EQ(details.message(), "there is no such model");
  }
}

TEST(GrpcStatusTest, OkStaysOk) {
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
  EXPECT_TRUE(FromGrpcStatus(grpc::Status::OK).ok());
}

// Longer texts would overflow gRPC's metadata limit, and the code would be lost with them.
TEST(GrpcStatusTest, LongTextsAreCutAtOneKibibyte) {
  const std::string text(5'000, 'x');

  const grpc::Status status = ToGrpcStatus(WithFix(InvalidArgument("{}", text), text));

  EXPECT_EQ(status.error_message().size(), 1024U);
  EXPECT_LE(status.error_details().size(), 2200U);
}

TEST(GrpcStatusTest, ACutNeverSplitsACharacter) {
  for (int lead = 0; lead < 3; ++lead) {
    std::string text(static_cast<std::size_t>(lead), 'x');
    while (text.size() < 2'000) {
      text += "\u20ac";
    }
    const std::string cut = ToGrpcStatus(InvalidArgument("{}", text)).error_message();
    const std::size_t euros = (cut.size() - 3 - static_cast<std::size_t>(lead)) / 3;
    EXPECT_EQ(cut.size(), static_cast<std::size_t>(lead) + 3 * euros + 3) << lead;
    EXPECT_TRUE(cut.ends_with("\u20ac...")) << lead;
  }
}

TEST(GrpcStatusTest, DetailsThatAreNotOursAreIgnored) {
  const absl::Status received =
      FromGrpcStatus(grpc::Status(grpc::StatusCode::NOT_FOUND, "gone", "\xff\xff not a message"));

  EXPECT_EQ(received.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Fix(received), "");
}

}  // namespace
}  // namespace millrace
