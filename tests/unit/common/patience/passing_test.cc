#include "common/patience/passing.h"

#include <set>

#include <gtest/gtest.h>

#include "common/status/status.h"

namespace millrace {
namespace {

using absl::StatusCode;

TEST(PassingTest, TheseCodesPassAndNoOther) {
  const std::set<StatusCode> passing{StatusCode::kUnavailable,
                                     StatusCode::kDeadlineExceeded,
                                     StatusCode::kResourceExhausted,
                                     StatusCode::kAborted,
                                     StatusCode::kCancelled};
  const std::set<StatusCode> mended{StatusCode::kUnauthenticated, StatusCode::kPermissionDenied};
  for (int code = 0; code <= 16; ++code) {
    const absl::Status status(static_cast<StatusCode>(code), "words");
    EXPECT_EQ(IsPassing(status), passing.contains(status.code())) << code;
    EXPECT_EQ(IsMendable(status), passing.contains(status.code()) || mended.contains(status.code()))
        << code;
  }
}

// It would be waited for without end.
TEST(PassingTest, AMessageThatIsTooLargeStaysSo) {
  EXPECT_FALSE(IsPassing(ResourceExhausted("Received message larger than max (7 vs. 4)")));
  EXPECT_FALSE(IsPassing(ResourceExhausted("Sent message larger than max (7 vs. 4)")));
}

TEST(PassingTest, OneWayOfNotAnsweringIsLikeAnother) {
  EXPECT_EQ(WaitReason("the data service", Unavailable("Socket closed")),
            WaitReason("the data service", absl::DeadlineExceededError("Deadline Exceeded")));
  EXPECT_EQ(WaitReason("the data service", ResourceExhausted("18 readers are open")),
            "the data service says: 18 readers are open");
}

}  // namespace
}  // namespace millrace
