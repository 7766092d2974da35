#include "clients/cli/output.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::cli {
namespace {

TEST(OutputTest, AResultHasOneFormForEachWord) {
  const Result result{
      .json = "{\"a\": \"1\"}\n", .text = "NAME\n", .names = {"models/a", "models/b"}};
  EXPECT_EQ(Form(result, ParseFormat("table")), "NAME\n");
  EXPECT_EQ(Form(result, ParseFormat("wide")), "NAME\n");
  EXPECT_EQ(Form(result, ParseFormat("json")), "{\"a\": \"1\"}\n");
  EXPECT_EQ(Form(result, ParseFormat("yaml")), "a: \"1\"\n");
  EXPECT_EQ(Form(result, ParseFormat("name")), "models/a\nmodels/b\n");
}

TEST(OutputTest, YamlKeepsOrderAndKinds) {
  EXPECT_EQ(ToYaml(R"({"b": 1.5, "a": [true, null, {"c": "x"}], "e": {}, "f": []})"),
            "b: 1.5\na:\n  - true\n  - ~\n  - c: x\ne: {}\nf: []\n");
}

TEST(OutputTest, TextsThatCouldBeReadAsSomethingElseStandInQuotes) {
  for (const char* const text :
       {"400000", "1e3", "true", "No", "null", "", " a", "a: b", "-", "~"}) {
    const std::string quoted = std::string("\"") + text + "\"";
    EXPECT_EQ(ToYaml("{\"k\": " + quoted + "}"), "k: " + quoted + "\n");
  }
  EXPECT_EQ(ToYaml(R"({"k": "datasets/iris/versions/1"})"), "k: datasets/iris/versions/1\n");
  EXPECT_EQ(ToYaml(R"({"k": "größe\n"})"), "k: \"größe\\n\"\n");
}

}  // namespace
}  // namespace millrace::cli
