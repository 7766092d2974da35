#include "common/status/hidden_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/grpc_status.h"
#include "common/status/status.h"

namespace millrace {
namespace {

using testing::HasSubstr;
using testing::Not;

class HiddenFolderTest : public testing::Test {
 protected:
  ~HiddenFolderTest() override { HideFolder(""); }
};

TEST_F(HiddenFolderTest, AnAnswerHasNeitherTheFolderNorWhatIsInIt) {
  HideFolder("/var/lib/millrace/");
  const grpc::Status status = ToGrpcStatus(WithFix(
      ResourceExhausted("cannot write /var/lib/millrace/uploads/c0ffee.part: No space left"),
      "make room in /var/lib/millrace"));
  EXPECT_EQ(status.error_message(), "cannot write a file of the service: No space left");
  EXPECT_THAT(status.error_details(), Not(HasSubstr("/var")));
  EXPECT_EQ(Fix(FromGrpcStatus(status)), "make room in a file of the service");
}

TEST_F(HiddenFolderTest, OtherPathsAndWordsStay) {
  HideFolder("/var/lib/millrace");
  for (const char* const text : {"/var/lib/millrace2/x", "/mnt/var/lib/millrace/x", "no path"}) {
    EXPECT_EQ(WithoutHiddenPaths(text), text);
  }
  EXPECT_EQ(WithoutHiddenPaths("'/var/lib/millrace/a', '/var/lib/millrace/b'"),
            "'a file of the service', 'a file of the service'");
}

TEST_F(HiddenFolderTest, ARelativeFolderIsAPathOnlyBeforeASlash) {
  HideFolder("data");
  EXPECT_EQ(WithoutHiddenPaths("no data in data/blobs/1: it is metadata/x"),
            "no data in a file of the service: it is metadata/x");
}

}  // namespace
}  // namespace millrace
