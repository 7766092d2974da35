// The rules of the house, held against the tree. The rules are in layers.h and text_rules.h, each
// with its own test.

#include <functional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/house/layers.h"
#include "tests/house/repeats.h"
#include "tests/house/source_tree.h"
#include "tests/house/text_rules.h"

namespace millrace::house {
namespace {

const std::vector<std::string> kProduction = {"common/", "services/", "clients/"};
const std::vector<std::string> kCode = {"common/", "services/", "clients/", "tests/"};

const std::vector<SourceFile>& Tree() {
  static const std::vector<SourceFile> tree = ReadTree(MILLRACE_SOURCE_DIR);
  return tree;
}

const Layers& LinkLists() {
  static const Layers layers = ParseLayers(ReadText(MILLRACE_LAYERS));
  return layers;
}

void ExpectNone(const Findings& findings) {
  std::string all;
  for (const std::string& finding : findings) {
    all += "\n  " + finding;
  }
  EXPECT_TRUE(findings.empty()) << all;
}

// Holds `rule` against each file; fails also when there is none, because then nothing was held.
void ExpectNone(const std::vector<SourceFile>& files,
                const std::function<Findings(const SourceFile&)>& rule) {
  EXPECT_FALSE(files.empty());
  Findings all;
  for (const SourceFile& file : files) {
    const Findings findings = rule(file);
    all.insert(all.end(), findings.begin(), findings.end());
  }
  ExpectNone(all);
}

TEST(HouseTest, EveryIncludeIsInTheLinkList) {
  const ProtoLibraries protos = ParseProtoLibraries(TextOf(Tree(), "proto/CMakeLists.txt"));
  ASSERT_FALSE(protos.library_of_file.empty());
  ExpectNone(Select(Tree(), kProduction, {".h", ".cc"}),
             [&](const SourceFile& file) { return UnlinkedIncludes(file, LinkLists(), protos); });
}

TEST(HouseTest, LinksFollowTheStream) {
  ASSERT_FALSE(LinkLists().empty());
  ExpectNone(LinksAgainstTheStream(LinkLists()));
}

TEST(HouseTest, AStepLinksNoOtherStep) {
  ASSERT_FALSE(LinkLists().empty());
  ExpectNone(LinksBetweenSteps(LinkLists()));
}

TEST(HouseTest, CommonLinksLeavesFirst) {
  const auto order = ParseSubdirectories(TextOf(Tree(), "common/CMakeLists.txt"));
  ASSERT_FALSE(order.empty());
  ExpectNone(LinksAgainstOrder(LinkLists(), order));
}

TEST(HouseTest, DomainCodeDoesNotKnowGrpc) {
  // The rooms whose purpose is the wire: the door of errors, gRPC's own log lines, servers and
  // channels, what all mains share, both ends of transfers, the adapters, the two steps of training
  // that call other services, composition roots, the command.
  const std::set<std::string> rooms = {"common/status",
                                       "common/program",
                                       "common/rpc",
                                       "common/telemetry",
                                       "common/transfer",
                                       "services/data",
                                       "services/data/rpc",
                                       "services/training",
                                       "services/training/rpc",
                                       "services/training/worker",
                                       "services/training/fetch",
                                       "services/training/publish",
                                       "services/serving",
                                       "services/serving/rpc",
                                       "clients/cli"};
  ExpectNone(Select(Tree(), kProduction, {".h", ".cc"}),
             [&](const SourceFile& file) { return GrpcOutside(file, rooms); });
}

TEST(HouseTest, ChainsOfIncludesAreShort) {
  ExpectNone(LongIncludeChains(Select(Tree(), kCode, {".h", ".cc"}), 10));
}

TEST(HouseTest, EveryRoomHasAName) {
  ExpectNone(Tree(), NamelessRooms);
}

TEST(HouseTest, FilesAreShort) {
  ExpectNone(Select(Tree(), kCode, {".h", ".cc"}), TooLong);
}

TEST(HouseTest, HeadersSayWhatTheyAre) {
  ExpectNone(Select(Tree(), kCode, {".h"}), HeaderWithoutOpening);
}

TEST(HouseTest, NoWorkIsLeftOpen) {
  ExpectNone(Tree(), OpenWork);
}

TEST(HouseTest, NoPathOfOneMachineIsKept) {
  ExpectNone(Tree(), MachinePaths);
}

TEST(HouseTest, CMakeListsAreWritten) {
  ExpectNone(Select(Tree(), {""}, {"CMakeLists.txt", ".cmake"}), Globbing);
  ExpectNone(UnlistedSources(Select(Tree(), kCode, {".h", ".cc", "CMakeLists.txt"})));
}

TEST(HouseTest, OnlyStorageMakesThingsDurable) {
  ExpectNone(Select(Tree(), kProduction, {".h", ".cc"}), DurabilityOutsideStorage);
}

TEST(HouseTest, OnlyStatusNamesTheOtherStringView) {
  ExpectNone(Select(Tree(), kCode, {".h", ".cc"}), AbslStringViewOutsideStatus);
}

TEST(HouseTest, EveryUnitTestMirrorsAHeader) {
  ExpectNone(TestsWithoutHeader(Tree()));
}

TEST(HouseTest, EveryTestSourceAsserts) {
  ExpectNone(Select(Tree(), {"tests/"}, {"_test.cc"}), WithoutAssertion);
}

TEST(HouseTest, EveryFolderHasItsLine) {
  for (const char* top : {"common", "services"}) {
    ExpectNone(FoldersWithoutLine(Select(Tree(), {std::string(top) + "/"}, {""}), top));
  }
}

TEST(HouseTest, NothingIsWrittenTwice) {
  const std::vector<std::string> written = {
      "common/", "services/", "clients/", "tests/", "deploy/", "findings/", ".ci/"};
  ExpectNone(EqualRuns(Select(Tree(), written, {".h", ".cc", ".py", ".sh", "/run"}), 12));
}

TEST(HouseTest, PackagesAreNamedByTheirFolders) {
  ExpectNone(Select(Tree(), {"proto/"}, {".proto"}), PackageIsNotFolder);
}

}  // namespace
}  // namespace millrace::house
