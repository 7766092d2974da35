#include "common/status/status.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(StatusTest, BuildersPutTheValueIntoTheMessage) {
  const absl::Status status = InvalidArgument("batch_size must be in [1, 65536], found {}", -1);

  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(status), "batch_size must be in [1, 65536], found -1");
}

TEST(StatusTest, AFixIsKeptApartFromTheMessageAndSurvivesAnnotate) {
  const absl::Status status = Annotate(
      WithFix(NotFound("there is no column 'agee'"), "did you mean 'age'?"), "patients.csv");

  EXPECT_EQ(Message(status), "patients.csv: there is no column 'agee'");
  EXPECT_EQ(Fix(status), "did you mean 'age'?");
}

TEST(StatusTest, AStatusWithoutAFixHasAnEmptyOne) {
  EXPECT_EQ(Fix(Unavailable("the peer does not answer")), "");
}

absl::StatusOr<int> Half(int number) {
  if (number % 2 != 0) {
    return InvalidArgument("{} is odd", number);
  }
  return number / 2;
}

absl::StatusOr<int> Quarter(int number) {
  ASSIGN_OR_RETURN(const int half, Half(number));
  return Half(half);
}

TEST(StatusTest, AssignOrReturnPassesTheFirstErrorOn) {
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_EQ(Message(Quarter(6).status()), "3 is odd");
  EXPECT_EQ(Message(Quarter(5).status()), "5 is odd");
}

}  // namespace
}  // namespace millrace
