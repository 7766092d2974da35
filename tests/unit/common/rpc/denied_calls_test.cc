#include "common/rpc/denied_calls.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include "common/clock/clock.h"
#include "common/telemetry/log.h"
#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::rpc {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

Denial Denied(std::string_view method) {
  Denial denial;
  denial.method = method;
  return denial;
}

class DeniedCallsTest : public testing::Test {
 protected:
  DeniedCallsTest()
      : log_(*audit::AuditLog::Open(storage::PosixFileSystem(), SystemClock(), folder_.path())),
        denied_(std::make_unique<DeniedCalls>(
            &registry_,
            log_.get(),
            Permissions{{"a.S/Read", security::Permission::kReader},
                        {"a.S/Delete", security::Permission::kOperator}})) {}

  // The lines, once their minute is over.
  std::string Lines() {
    denied_.reset();
    std::ostringstream text;
    text << std::ifstream(folder_.path() + "/00000001.jsonl").rdbuf();
    return text.str();
  }

  std::string Metrics() { return prometheus::TextSerializer().Serialize(registry_.Collect()); }

  storage::TemporaryFolder folder_;
  prometheus::Registry registry_;
  std::unique_ptr<audit::AuditLog> log_;
  std::unique_ptr<DeniedCalls> denied_;
};

TEST_F(DeniedCallsTest, CountsEachAndWritesOneLineAnAddressAndMinuteForWhatWouldChange) {
  for (int i = 0; i < 60; ++i) {
    denied_->Add(Denied("a.S/Delete"), "10.0.0.1");
  }
  Denial known = Denied("a.S/Delete");
  known.code = grpc::StatusCode::PERMISSION_DENIED;
  known.caller = "rita";
  denied_->Add(known, "10.0.0.2");
  denied_->Add(Denied("a.S/Read"), "10.0.0.1");

  EXPECT_THAT(
      Metrics(),
      AllOf(HasSubstr(R"(millrace_calls_total{code="UNAUTHENTICATED",method="a.S/Delete"} 60)"),
            HasSubstr(R"(millrace_calls_total{code="PERMISSION_DENIED",method="a.S/Delete"} 1)"),
            HasSubstr(R"(millrace_calls_total{code="UNAUTHENTICATED",method="a.S/Read"} 1)")));
  const std::string lines = Lines();
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2);
  EXPECT_THAT(lines,
              AllOf(HasSubstr(R"("caller":"unknown")"),
                    HasSubstr(R"("method":"a.S/Delete")"),
                    HasSubstr(R"("outcome":"UNAUTHENTICATED: 60 calls from 10.0.0.1")"),
                    HasSubstr(R"("caller":"rita")"),
                    HasSubstr(R"("outcome":"PERMISSION_DENIED: 1 calls from 10.0.0.2")"),
                    Not(HasSubstr("a.S/Read"))));
}

TEST_F(DeniedCallsTest, NeitherAddressesNorNamesOfMethodsGrowWithoutBound) {
  for (int i = 0; i < 1'000; ++i) {
    denied_->Add(Denied("a.S/Delete"), fmt::format("10.0.{}.{}", i / 250, i % 250));
    const std::string made_up = fmt::format("b.S/M{}", i);
    denied_->Add(Denied(made_up), "10.0.0.1");
  }
  EXPECT_THAT(
      Metrics(),
      AllOf(HasSubstr(R"(millrace_calls_total{code="UNAUTHENTICATED",method="other"} 1000)"),
            Not(HasSubstr("b.S"))));
  const std::string lines = Lines();
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'),
            static_cast<std::ptrdiff_t>(DeniedCalls::kAddressesMax + 1));
  EXPECT_THAT(lines, HasSubstr("936 calls from other addresses"));
}

TEST_F(DeniedCallsTest, WritesLinesOfTheLogAsManyAsOfOtherFailures) {
  log::Start("test");
  std::string lines;
  while (lines.empty()) {  // other tests may have used up this second's lines
    testing::internal::CaptureStderr();
    for (int i = 0; i < 1'000; ++i) {
      Denial denial = Denied("a.S/Delete");
      denial.request_id = "wish-1";
      denied_->Add(denial, "10.0.0.1");
    }
    lines = testing::internal::GetCapturedStderr();
  }
  EXPECT_THAT(lines, AllOf(HasSubstr(R"("code":"UNAUTHENTICATED")"), HasSubstr("wish-1")));
  EXPECT_LE(std::count(lines.begin(), lines.end(), '\n'), 100);
}

}  // namespace
}  // namespace millrace::rpc
