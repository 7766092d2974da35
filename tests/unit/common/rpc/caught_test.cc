#include "common/rpc/caught.h"

#include <new>
#include <stdexcept>
#include <string>

#include <absl/status/statusor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"

namespace millrace::rpc {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(CaughtTest, GivesWhatTheWorkReturns) {
  EXPECT_TRUE(Caught([] { return absl::OkStatus(); }).ok());
  EXPECT_EQ(*Caught([]() -> absl::StatusOr<int> { return 7; }), 7);
  EXPECT_EQ(Caught([]() -> absl::StatusOr<int> { return NotFound("no"); }).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(CaughtTest, MemoryThatEndedIsAnErrorOfTheCall) {
  const auto result = Caught([]() -> absl::StatusOr<int> { throw std::bad_alloc(); });

  EXPECT_EQ(result.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(Message(result.status())), HasSubstr("not enough memory for this call"));
  EXPECT_THAT(Fix(result.status()), HasSubstr("less at once"));
}

TEST(CaughtTest, NeitherTheAnswerNorTheLogHoldsTheTextOfAnException) {
  testing::internal::CaptureStderr();
  const absl::Status status =
      Caught([]() -> absl::Status { throw std::runtime_error("cell CANARY"); });
  const std::string lines = testing::internal::GetCapturedStderr();

  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("CANARY")));
  EXPECT_THAT(lines, AllOf(HasSubstr("exception"), HasSubstr("runtime_error")));
  EXPECT_THAT(lines, Not(HasSubstr("CANARY")));
}

}  // namespace
}  // namespace millrace::rpc
