// Each rule is given a text that breaks it and one that does not, so that none can pass by being
// blind. Texts that a rule over the whole tree would find here are put together from two parts.

#include "tests/house/text_rules.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::house {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string LinesOf(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += "x\n";
  }
  return text;
}

TEST(TextRulesTest, RefusesNamesThatSayNothing) {
  for (const char* path : {"common/utils/a.h",
                           "common/csv/csv_util.h",
                           "services/data/helpers.cc",
                           "common/misc/a.h",
                           "services/serving/model_manager.h",
                           "services/data/common_types.h"}) {
    EXPECT_THAT(NamelessRooms({path, ""}), ElementsAre(HasSubstr("says nothing"))) << path;
  }
}

TEST(TextRulesTest, AllowsNamesThatOnlyContainTheWords) {
  for (const char* path : {"common/csv/reader.h", "docs/miscellany.md", "common/utility.h"}) {
    EXPECT_THAT(NamelessRooms({path, ""}), IsEmpty()) << path;
  }
}

TEST(TextRulesTest, LimitsTheLinesOfHeadersAndSources) {
  EXPECT_THAT(TooLong({"a.h", LinesOf(400)}), IsEmpty());
  EXPECT_THAT(TooLong({"a.h", LinesOf(401)}), ElementsAre("a.h: 401 lines, at most 400"));
  EXPECT_THAT(TooLong({"a.cc", LinesOf(600)}), IsEmpty());
  EXPECT_THAT(TooLong({"a.cc", LinesOf(601)}), ElementsAre("a.cc: 601 lines, at most 600"));
}

TEST(TextRulesTest, WantsAHeaderToSayWhatItIs) {
  const std::string good = "// Reader: rows of a file.\n//\n// More.\n\n#pragma once\n\nint f();\n";
  EXPECT_THAT(HeaderWithoutOpening({"a.h", good}), IsEmpty());
  EXPECT_THAT(HeaderWithoutOpening({"a.h", "// `do it`: does it.\n#pragma once\n"}), IsEmpty());
  EXPECT_THAT(HeaderWithoutOpening({"a.h", "// rows of a file\n#pragma once\n"}),
              ElementsAre(HasSubstr("Name: what it is")));
  EXPECT_THAT(HeaderWithoutOpening({"a.h", "// Reader: rows.\n#include <map>\n#pragma once\n"}),
              ElementsAre(HasSubstr("#pragma once")));
  EXPECT_EQ(HeaderWithoutOpening({"a.h", ""}).size(), 2U);
}

TEST(TextRulesTest, FindsWorkLeftOpen) {
  EXPECT_THAT(OpenWork({"a.cc", std::string("int a;\n// TO") + "DO: b\n"}),
              ElementsAre(HasSubstr("a.cc:2: work left open")));
  EXPECT_THAT(OpenWork({"a.sh", std::string("# FIX") + "ME\n# XX" + "X\n"}).size(), 2U);
  EXPECT_THAT(OpenWork({"a.sh", "mktemp -d /tmp/a.XXXXXX\nnothing to do\n"}), IsEmpty());
}

TEST(TextRulesTest, FindsPathsOfOneMachine) {
  for (const char* start : {"/work", "/root", "/home"}) {
    const std::string text = std::string("cd ") + start + "/main\n";
    EXPECT_THAT(MachinePaths({"a.md", text}), ElementsAre(HasSubstr("a.md:1: a path of one")))
        << start;
  }
  EXPECT_THAT(MachinePaths({"a.md", "services/training/worker/\nexample.org/work/\n"}), IsEmpty());
}

TEST(TextRulesTest, FindsGlobs) {
  EXPECT_THAT(Globbing({"CMakeLists.txt", std::string("file(GLO") + "B x *.cc)\n"}),
              ElementsAre(HasSubstr("CMakeLists.txt:1: list the files")));
  EXPECT_THAT(Globbing({"CMakeLists.txt", "file(WRITE layers.txt)\n"}), IsEmpty());
}

TEST(TextRulesTest, KeepsDurabilityInStorage) {
  const std::string text = "void f() {\n  std::filesystem::rename(a, b);\n  ::fsync (fd);\n}\n";
  EXPECT_THAT(DurabilityOutsideStorage({"services/data/store/a.cc", text}),
              ElementsAre(HasSubstr("a.cc:2: only common/storage"), HasSubstr("a.cc:3:")));
  EXPECT_THAT(DurabilityOutsideStorage({"common/storage/file_system.cc", text}), IsEmpty());
  EXPECT_THAT(
      DurabilityOutsideStorage({"common/csv/a.cc", "// fsync() is not ours\nx(\"rename(\");"}),
      IsEmpty());
}

TEST(TextRulesTest, KeepsTheOtherStringViewInStatus) {
  const std::string text = "void f(absl::string_view text);\n";
  EXPECT_THAT(AbslStringViewOutsideStatus({"common/csv/a.h", text}),
              ElementsAre(HasSubstr("a.h:1: use Message()")));
  EXPECT_THAT(AbslStringViewOutsideStatus({"common/status/status.h", text}), IsEmpty());
  EXPECT_THAT(AbslStringViewOutsideStatus({"common/csv/a.h", "// no absl::string_view here\n"}),
              IsEmpty());
}

TEST(TextRulesTest, WantsAnAssertionInEveryTestSource) {
  EXPECT_THAT(WithoutAssertion({"a_test.cc", "TEST(A, B) { F(); }  // EXPECT_EQ\n"}),
              ElementsAre(HasSubstr("asserts nothing")));
  EXPECT_THAT(WithoutAssertion({"a_test.cc", "TEST(A, B) { ASSERT_TRUE(F()); }\n"}), IsEmpty());
}

TEST(TextRulesTest, NamesAPackageByItsFolder) {
  const std::string text = "syntax = \"proto3\";\n\npackage millrace.data.v1;\n";
  EXPECT_THAT(PackageIsNotFolder({"proto/millrace/data/v1/a.proto", text}), IsEmpty());
  EXPECT_THAT(PackageIsNotFolder({"proto/millrace/data/v2/a.proto", text}),
              ElementsAre(HasSubstr("millrace.data.v1")));
  EXPECT_THAT(PackageIsNotFolder({"proto/a.proto", "syntax = \"proto3\";\n"}),
              ElementsAre(HasSubstr("no package")));
}

TEST(TextRulesTest, WantsEverySourceInItsFoldersList) {
  const SourceFile list = {"common/csv/CMakeLists.txt", "millrace_library(HEADERS reader.h\n)"};
  EXPECT_THAT(UnlistedSources({list, {"common/csv/reader.h", ""}}), IsEmpty());
  EXPECT_THAT(UnlistedSources({list, {"common/csv/reader.cc", ""}}),
              ElementsAre(HasSubstr("common/csv/reader.cc: ")));
  EXPECT_THAT(UnlistedSources({list, {"common/csv/er.h", ""}}), ElementsAre(HasSubstr("er.h")));
}

TEST(TextRulesTest, WantsATestToMirrorAHeader) {
  const SourceFile test = {"tests/unit/common/csv/reader_test.cc", ""};
  EXPECT_THAT(TestsWithoutHeader({{"common/csv/reader.h", ""}, test}), IsEmpty());
  EXPECT_THAT(TestsWithoutHeader({{"common/csv/reader.cc", ""}, test}), IsEmpty());
  EXPECT_THAT(TestsWithoutHeader({{"common/features/reader.h", ""}, test}),
              ElementsAre(HasSubstr("common/csv/reader.h")));
}

TEST(TextRulesTest, WantsALineForEveryFolder) {
  const SourceFile source = {"common/network/kernels/a.h", ""};
  const SourceFile readme = {"common/README.md", "- `network/kernels/` the loops\n"};
  EXPECT_THAT(FoldersWithoutLine({readme, source}, "common"), IsEmpty());
  EXPECT_THAT(FoldersWithoutLine({source}, "common"),
              ElementsAre(HasSubstr("no line for `network/kernels/`")));
  EXPECT_THAT(FoldersWithoutLine({readme}, "common"), ElementsAre(HasSubstr("does not exist")));
}

TEST(TextRulesTest, SeparatesCodeFromCommentsAndLiterals) {
  EXPECT_EQ(CodeOnly("a(\"b // \\\" c\");  // d\ne\n"), "a();  \ne\n");
  EXPECT_EQ(CodeOnly("f('\"', 1'000, b)"), "f(, 1'000, b)");
  EXPECT_EQ(CodeOnly("a // no end of line"), "a ");
  EXPECT_EQ(
      CodeOnly(std::string(1'000'000, 'x') + "\"" + std::string(1'000'000, 'y') + "\"").size(),
      1'000'000U);
}

}  // namespace
}  // namespace millrace::house
