// No function is there for tests alone: what the released programs call, against what the
// libraries have.

#include "tests/house/callers.h"

#include <array>
#include <cstdio>
#include <memory>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::house {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

// Functions that no program calls, and why they stay.
const std::map<std::string, std::string> kReasons = {
    {"millrace::cli::HelpPages", "docs/cli.md is made of it, and held to it by a test"},
    {"millrace::cli::Process::TakeExitCode", "how tests see that a program ended well"},
    {"millrace::data::ReadBudget::taken_bytes", "tests see that what readers took comes back"},
    {"millrace::network::kernels::ForceLevel", "tests compare the instruction sets' bits"},
    {"millrace::network::kernels::PackTransposed", "the packed product's test and benchmark"},
    {"millrace::rpc::DefaultServerLimits", "a default argument; programs set all limits"},
    {"millrace::serving::ComputePool::load", "tests wait until a call stands in line"},
    {"millrace::training::Evaluator::Answers", "tests compare it with what serving answers"},
};

std::string OutputOf(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string output;
  std::array<char, 65536> chunk{};
  std::size_t size = 0;
  while (pipe && (size = fread(chunk.data(), 1, chunk.size(), pipe.get())) > 0) {
    output.append(chunk.data(), size);
  }
  return output;
}

TEST(CallersTest, EveryFunctionHasOneInAProgram) {
  Functions libraries;
  std::set<std::string> programs;
  // CMake wrote lines of `library PATH` and `program PATH`.
  std::istringstream targets(ReadText(MILLRACE_BUILD_DIR "/targets.txt"));
  std::string kind;
  std::string path;
  while (targets >> kind >> path) {
    const std::string nm = OutputOf("nm -A --demangle --defined-only '" + path + "'");
    if (kind == "library") {
      libraries.merge(FunctionsOfLibraries(nm, MILLRACE_BUILD_DIR));
    } else {
      programs.merge(FunctionsOfPrograms(nm));
    }
  }
  EXPECT_GT(libraries.size(), 100U);
  EXPECT_GT(programs.size(), 100U);
  std::string all;
  for (const std::string& finding :
       WithoutCaller(libraries, programs, ReadTree(MILLRACE_SOURCE_DIR), kReasons)) {
    all += "\n  " + finding;
  }
  EXPECT_EQ(all, "") << "remove it with its test, or say why it stays";
}

TEST(CallersTest, ReadsWhatNmPrints) {
  EXPECT_THAT(FunctionsOfLibraries(
                  "/b/common/features/libf.a:cell.cc.o:0000 T millrace::features::Trim(int)\n"
                  "/b/common/features/libf.a:cell.cc.o:0000 T millrace::f::Cell::Cell(int)\n"
                  "/b/common/features/libf.a:cell.cc.o:0000 t millrace::f::Lower(char)\n"
                  "/b/common/features/libf.a:cell.cc.o:0000 W millrace::Message(int)\n"
                  "/b/common/features/libf.a:cell.cc.o:0000 T main\n",
                  "/b"),
              ElementsAre(Pair("millrace::features::Trim(int)", "common/features/cell.cc")));
  EXPECT_THAT(FunctionsOfPrograms("/b/bin/p:0000 t millrace::A(int)\n"
                                  "/b/bin/p:0000 t millrace::B() [clone .cold]\n"
                                  "/b/bin/p:0000 T main\n"),
              ElementsAre("millrace::A(int)", "millrace::B()"));
}

TEST(CallersTest, NamesAFunctionWithoutItsParameters) {
  EXPECT_EQ(NameWithoutParameters("millrace::A::Put(int, void (*)(int)) const"),
            "millrace::A::Put");
  EXPECT_EQ(NameWithoutParameters("millrace::A::Text[abi:cxx11](int)"), "millrace::A::Text");
  EXPECT_EQ(NameWithoutParameters("millrace::A::operator()(int)"), "millrace::A::operator()");
}

TEST(CallersTest, WantsACallerOrAReasonAndNoReasonTooMany) {
  const Functions libraries = {{"millrace::A()", "a.cc"}, {"millrace::B(int)", "a.cc"}};
  const std::vector<SourceFile> tree = {{"a.cc", "void A() {}\nvoid B(int) {}  // B(1)\n"}};
  EXPECT_THAT(WithoutCaller(libraries, {"millrace::A()"}, tree, {}),
              ElementsAre("a.cc: no program calls millrace::B(int)"));
  EXPECT_THAT(WithoutCaller(libraries, {"millrace::A()"}, tree, {{"millrace::B", "a canary"}}),
              IsEmpty());
  EXPECT_THAT(
      WithoutCaller(libraries, {"millrace::A()", "millrace::B(int)"}, tree, {{"millrace::B", "x"}}),
      ElementsAre("millrace::B needs no reason: it is called, or is gone"));
}

TEST(CallersTest, TakesACallInItsOwnSourceWhichMayHaveBeenInlined) {
  EXPECT_THAT(WithoutCaller({{"millrace::A::Part()", "a.cc"}},
                            {},
                            {{"a.cc", "void A::Part() {}\nvoid A::Run() { Part(); }\n"}},
                            {}),
              IsEmpty());
}

}  // namespace
}  // namespace millrace::house
