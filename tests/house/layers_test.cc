// The rules about links, each shown a link list that breaks it and one that does not.

#include "tests/house/layers.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::house {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

constexpr std::string_view kProtoList =
    "millrace_proto(NAME schema_v1\n  FILES millrace/schema/v1/schema.proto)\n"
    "millrace_proto(NAME model_v1 FILES millrace/model/v1/bundle.proto\n"
    "  DEPS millrace::proto::schema_v1)\n"
    "millrace_proto(NAME data_v1 FILES millrace/data/v1/data_service.proto GRPC\n"
    "  DEPS millrace::proto::model_v1)\n";

TEST(LayersTest, ReadsWhatCMakeWrites) {
  const Layers layers = ParseLayers(
      "common/csv: absl::status;millrace::common::status millrace::proto::schema_v1\n"
      "services/data: millrace::services::data::rpc\n"
      "services/data: millrace::common::config\n");
  EXPECT_THAT(
      layers,
      ElementsAre(Pair("common/csv", ElementsAre("common/status", "proto/schema_v1")),
                  Pair("services/data", ElementsAre("common/config", "services/data/rpc"))));
}

TEST(LayersTest, KnowsWhatAProtoLibraryIsMadeOf) {
  const ProtoLibraries protos = ParseProtoLibraries(kProtoList);
  EXPECT_EQ(protos.library_of_file.at("millrace/model/v1/bundle"), "proto/model_v1");
  EXPECT_THAT(protos.reach.at("proto/data_v1"),
              UnorderedElementsAre("proto/data_v1", "proto/model_v1", "proto/schema_v1"));
}

TEST(LayersTest, ReadsTheOrderOfFolders) {
  EXPECT_THAT(
      ParseSubdirectories("# Leaves first.\nadd_subdirectory(status)\nadd_subdirectory(csv)\n"),
      ElementsAre("status", "csv"));
}

TEST(LayersTest, RefusesAnIncludeThatIsNotLinked) {
  const Layers layers = {{"common/csv", {"common/status", "proto/data_v1"}}};
  const ProtoLibraries protos = ParseProtoLibraries(kProtoList);
  const auto check = [&](const std::string& include) {
    return UnlinkedIncludes({"common/csv/a.cc", "#include \"" + include + "\"\n"}, layers, protos);
  };
  EXPECT_THAT(check("common/status/status.h"), IsEmpty());
  EXPECT_THAT(check("common/csv/reader.h"), IsEmpty());
  EXPECT_THAT(check("millrace/schema/v1/schema.pb.h"), IsEmpty());
  EXPECT_THAT(check("common/storage/sha256.h"), ElementsAre(HasSubstr("link common/storage")));
  EXPECT_THAT(UnlinkedIncludes(
                  {"common/csv/a.cc", "#include \"millrace/data/v1/data_service.grpc.pb.h\"\n"},
                  {{"common/csv", {}}},
                  protos),
              ElementsAre(HasSubstr("link proto/data_v1")));
}

TEST(LayersTest, RefusesASourceThatNoTargetOwns) {
  EXPECT_THAT(UnlinkedIncludes({"common/lost/a.cc", ""}, {}, {}),
              ElementsAre(HasSubstr("no library or program")));
}

TEST(LayersTest, RefusesLinksAgainstTheStream) {
  EXPECT_THAT(LinksAgainstTheStream({{"common/rpc", {"services/data/rpc"}}}),
              ElementsAre(HasSubstr("proto <- common <- services <- clients")));
  EXPECT_THAT(LinksAgainstTheStream({{"services/data/rpc", {"clients/cli"}}}),
              ElementsAre(HasSubstr("proto <- common")));
  EXPECT_THAT(LinksAgainstTheStream({{"services/data/rpc", {"services/serving/load"}}}),
              ElementsAre(HasSubstr("services never include each other")));
  EXPECT_THAT(LinksAgainstTheStream({{"tools/x", {"common/csv"}}}),
              ElementsAre(HasSubstr("no layer")));
  EXPECT_THAT(LinksAgainstTheStream(
                  {{"services/data/rpc", {"common/csv", "proto/data_v1", "services/data/store"}},
                   {"clients/cli", {"common/rpc", "proto/data_v1"}}}),
              IsEmpty());
}

TEST(LayersTest, RefusesAStepThatLinksAnotherStep) {
  EXPECT_THAT(LinksBetweenSteps({{"services/data/fit", {"services/data/split"}}}),
              ElementsAre(HasSubstr("a step includes no other step")));
  EXPECT_THAT(LinksBetweenSteps({{"services/data/pipeline", {"services/data/split"}},
                                 {"services/data/rpc", {"services/data/pipeline"}},
                                 {"services/training/worker", {"services/training/train"}},
                                 {"services/data", {"services/data/rpc"}},
                                 {"services/data/clean", {"common/features"}}}),
              IsEmpty());
}

TEST(LayersTest, RefusesALinkAgainstTheOrderOfCommon) {
  const std::vector<std::string> order = {"status", "storage", "network"};
  EXPECT_THAT(LinksAgainstOrder({{"common/storage", {"common/network"}}}, order),
              ElementsAre(HasSubstr("lists it later")));
  EXPECT_THAT(LinksAgainstOrder({{"common/storage", {"common/lost"}}}, order),
              ElementsAre(HasSubstr("lists it later")));
  EXPECT_THAT(LinksAgainstOrder({{"common/network", {"common/status", "common/network/kernels"}},
                                 {"services/data", {"common/network"}}},
                                order),
              IsEmpty());
}

TEST(LayersTest, KeepsGrpcOutOfDomainCode) {
  const SourceFile plain = {"services/data/clean/a.cc", "#include <grpcpp/grpcpp.h>\n"};
  const SourceFile stub = {"services/data/clean/a.cc",
                           "#include \"millrace/data/v1/x.grpc.pb.h\"\n"};
  EXPECT_THAT(GrpcOutside(plain, {}), ElementsAre(HasSubstr("does not know gRPC")));
  EXPECT_THAT(GrpcOutside(stub, {}), ElementsAre(HasSubstr("does not know gRPC")));
  EXPECT_THAT(GrpcOutside(plain, {"services/data/clean"}), IsEmpty());
  EXPECT_THAT(GrpcOutside({"a/b.cc", "#include \"millrace/data/v1/x.pb.h\"\n"}, {}), IsEmpty());
}

TEST(LayersTest, LimitsChainsOfIncludes) {
  const std::vector<SourceFile> chain = {
      {"a.cc", "#include \"b.h\"\n"}, {"b.h", "#include \"c.h\"\n#include <map>\n"}, {"c.h", ""}};
  EXPECT_THAT(LongIncludeChains(chain, 2), IsEmpty());
  EXPECT_THAT(LongIncludeChains(chain, 1),
              ElementsAre("a.cc: a chain of 2 own headers, at most 1"));
}

TEST(LayersTest, RefusesIncludesInACircle) {
  EXPECT_THAT(LongIncludeChains({{"a.h", "#include \"b.h\"\n"}, {"b.h", "#include \"a.h\"\n"}}, 10),
              ElementsAre(HasSubstr("includes itself")));
}

}  // namespace
}  // namespace millrace::house
