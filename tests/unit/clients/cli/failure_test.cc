#include "clients/cli/failure.h"

#include <map>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/grpc_status.h"
#include "common/status/status.h"

namespace millrace::cli {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

TEST(FailureTest, EveryCodeHasTheExitCodeThatIsPromised) {
  const std::map<absl::StatusCode, Exit> promised = {
      {absl::StatusCode::kOk, Exit::kDone},
      {absl::StatusCode::kCancelled, Exit::kFailed},
      {absl::StatusCode::kUnknown, Exit::kFailed},
      {absl::StatusCode::kInvalidArgument, Exit::kInvalid},
      {absl::StatusCode::kDeadlineExceeded, Exit::kTryAgain},
      {absl::StatusCode::kNotFound, Exit::kNotFound},
      {absl::StatusCode::kAlreadyExists, Exit::kInvalid},
      {absl::StatusCode::kPermissionDenied, Exit::kAuthentication},
      {absl::StatusCode::kResourceExhausted, Exit::kTryAgain},
      {absl::StatusCode::kFailedPrecondition, Exit::kInvalid},
      {absl::StatusCode::kAborted, Exit::kTryAgain},
      {absl::StatusCode::kOutOfRange, Exit::kInvalid},
      {absl::StatusCode::kUnimplemented, Exit::kFailed},
      {absl::StatusCode::kInternal, Exit::kFailed},
      {absl::StatusCode::kUnavailable, Exit::kTryAgain},
      {absl::StatusCode::kDataLoss, Exit::kInvalid},
      {absl::StatusCode::kUnauthenticated, Exit::kAuthentication}};
  for (const auto& [code, exit] : promised) {
    EXPECT_EQ(ExitFor(absl::Status(code, "m"), /*interrupted=*/false), exit) << code;
  }
}

TEST(FailureTest, TheNumbersOfExitCodesStay) {
  EXPECT_EQ(static_cast<int>(Exit::kDone), 0);
  EXPECT_EQ(static_cast<int>(Exit::kFailed), 1);
  EXPECT_EQ(static_cast<int>(Exit::kUsage), 2);
  EXPECT_EQ(static_cast<int>(Exit::kNotFound), 3);
  EXPECT_EQ(static_cast<int>(Exit::kAuthentication), 4);
  EXPECT_EQ(static_cast<int>(Exit::kInvalid), 5);
  EXPECT_EQ(static_cast<int>(Exit::kTryAgain), 6);
  EXPECT_EQ(static_cast<int>(Exit::kInterrupted), 130);
}

TEST(FailureTest, AUsageErrorIsNoInvalidData) {
  const absl::Status status = UsageError("no flag '--x'", "use '--y'");
  EXPECT_EQ(ExitFor(status, false), Exit::kUsage);
  EXPECT_EQ(Describe(status, false),
            "error: no flag '--x'\ncode: USAGE (exit 2)\nfix: use '--y'\n");
}

TEST(FailureTest, AServiceCannotPassAnErrorOffAsUsage) {
  const absl::Status sent = FromGrpcStatus(ToGrpcStatus(UsageError("m", "f")));
  EXPECT_EQ(ExitFor(sent, false), Exit::kInvalid);
}

TEST(FailureTest, TheFixStandsLast) {
  const absl::Status status = WithFix(NotFound("there is no dataset 'x'"), "import it");
  EXPECT_EQ(Describe(status, false),
            "error: there is no dataset 'x'\ncode: NOT_FOUND (exit 3)\nfix: import it\n");
}

TEST(FailureTest, AnErrorWithoutAFixGetsTheOneOfItsCode) {
  for (int code = 1; code <= 16; ++code) {
    const std::string lines =
        Describe(absl::Status(static_cast<absl::StatusCode>(code), "m"), /*interrupted=*/false);
    const std::size_t fix = lines.find("\nfix: ");
    ASSERT_NE(fix, std::string::npos) << lines;
    EXPECT_GT(lines.size() - fix, 20U) << lines;
  }
  EXPECT_THAT(Describe(Unavailable("gone"), false), HasSubstr("fix: try again; 'millrace up'"));
  EXPECT_THAT(Describe(NotFound("gone"), false), HasSubstr("fix: 'millrace dataset ls'"));
}

TEST(FailureTest, AnInterruptionIsNoError) {
  EXPECT_EQ(ExitFor(Cancelled("detached"), /*interrupted=*/true), Exit::kInterrupted);
  EXPECT_EQ(Describe(WithFix(Cancelled("detached"), "watch it"), true),
            "detached\nnext: watch it\n");
  EXPECT_EQ(Describe(Cancelled("detached"), true), "detached\n");
}

TEST(FailureTest, AnErrorThatCameBeforeTheInterruptionKeepsItsCode) {
  EXPECT_EQ(ExitFor(NotFound("m"), /*interrupted=*/true), Exit::kNotFound);
}

TEST(FailureTest, ControlCharactersAreShownAndNotSent) {
  EXPECT_EQ(Printable("a\x1b[2Jb\r\n\t\x7f"), R"(a\x1b[2Jb\x0d\x0a\x09\x7f)");
  EXPECT_EQ(Printable("exe.\xe2\x80\xaevsc"), R"(exe.\xe2\x80\xaevsc)") << "U+202E turns the text";
  EXPECT_EQ(Printable("a\nb\x07", /*keep_lines=*/true), "a\nb\\x07");
  EXPECT_EQ(Printable(std::string_view("a\0b", 3)), R"(a\x00b)");
}

TEST(FailureTest, ControlCharactersOfTwoBytesAreShownToo) {
  EXPECT_EQ(Printable("\xc2\x9b"
                      "2J"),
            R"(\xc2\x9b2J)");  // U+009B, the other CSI
  EXPECT_EQ(Printable("\xc2\xa0\xc3\x9b \xc2"), "\xc2\xa0\xc3\x9b \xc2");
}

TEST(FailureTest, AMessageOfAServiceCannotSteerTheTerminal) {
  const std::string lines = Describe(WithFix(NotFound("\x1b[31m"), "\x1b[0m"), false);
  EXPECT_EQ(lines.find('\x1b'), std::string::npos) << lines;
  EXPECT_THAT(lines, EndsWith("fix: \\x1b[0m\n"));
}

}  // namespace
}  // namespace millrace::cli
