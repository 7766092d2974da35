#include "services/data/store/dataset_store.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "tests/unit/common/features/table_groups.h"
#include "tests/unit/common/storage/faulty_file_system.h"
#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::data {
namespace {

using storage::FaultyFileSystem;
using storage::PosixFileSystem;
using storage::TemporaryFolder;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class FixedClock final : public Clock {
 public:
  [[nodiscard]] std::chrono::system_clock::time_point Now() const override {
    return std::chrono::system_clock::time_point(std::chrono::microseconds(1'700'000'000'123'456));
  }
};

std::string MessageOf(const absl::Status& status) {
  return std::string(Message(status));
}

// Rows of a table, ascending.
struct Splits {
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> validation;
  std::vector<std::int64_t> test;
};

// What becomes a version, easy to change.
struct TestVersion {
  std::int32_t pipeline_version = 1;
  features::Table table;
  Splits splits;
  v1::DatasetVersion description;
  v1::GetStatisticsResponse statistics;
  std::int64_t group_rows = 2;

  [[nodiscard]] NewVersion New() const {
    NewVersion version;
    version.pipeline_version = pipeline_version;
    version.marks.assign(static_cast<std::size_t>(table.row_count()), features::kDropped);
    const auto mark = [&](const std::vector<std::int64_t>& rows, schema::v1::Split split) {
      for (const std::int64_t row : rows) {
        version.marks[static_cast<std::size_t>(row)] = static_cast<std::uint8_t>(split);
      }
    };
    mark(splits.train, schema::v1::SPLIT_TRAIN);
    mark(splits.validation, schema::v1::SPLIT_VALIDATION);
    mark(splits.test, schema::v1::SPLIT_TEST);
    version.rows = std::make_unique<features::TableGroups>(table, group_rows);
    version.description = description;
    *version.description.mutable_schema() = table.schema;
    version.statistics = statistics;
    return version;
  }
};

// Three rows of a number and a text; `number` makes versions differ.
TestVersion VersionOf(double number) {
  TestVersion version;
  auto* const x = version.table.schema.add_columns();
  x->set_name("x");
  x->set_type(schema::v1::COLUMN_TYPE_REAL);
  auto* const c = version.table.schema.add_columns();
  c->set_name("c");
  c->set_type(schema::v1::COLUMN_TYPE_CATEGORY);
  version.table.columns = {
      {.numbers = {number, 0, 3}, .codes = {}, .dictionary = {}, .valid = {1, 0, 1}},
      {.numbers = {}, .codes = {0, 1, 0}, .dictionary = {"a", "b"}, .valid = {1, 1, 1}}};
  version.splits = {.train = {0, 2}, .validation = {}, .test = {1}};
  auto* const source = version.description.add_sources();
  source->set_name("file.csv");
  source->set_sha256(std::string(64, 'f'));
  source->set_size_bytes(10);
  version.description.mutable_options()->set_label("c");
  (*version.description.mutable_options()->mutable_column_types())["x"] =
      schema::v1::COLUMN_TYPE_REAL;
  (*version.description.mutable_options()->mutable_column_types())["c"] =
      schema::v1::COLUMN_TYPE_CATEGORY;
  version.description.mutable_transforms()->set_input_count(1);
  version.description.add_effects()->set_rule("duplicate_rows");
  version.statistics.mutable_raw()->set_row_count(3);
  return version;
}

class DatasetStoreTest : public testing::Test {
 protected:
  static std::unique_ptr<DatasetStore> Open(storage::FileSystem& files, const std::string& folder) {
    static const FixedClock clock;
    auto store = DatasetStore::Open(files, folder, clock);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }

  v1::DatasetVersion Put(const std::string& dataset, double number) {
    const auto version = store_->Put(dataset, VersionOf(number).New());
    EXPECT_TRUE(version.ok()) << version.status();
    return version.ok() ? *version : v1::DatasetVersion();
  }

  void Reopen() {
    store_.reset();
    store_ = Open(PosixFileSystem(), path_);
  }

  [[nodiscard]] std::vector<std::string> Blobs() const {
    return *PosixFileSystem().List(path_ + "/blobs");
  }

  std::vector<std::string> Names(const std::string& dataset = "") {
    std::vector<std::string> names;
    const auto page = store_->List(dataset, 1'000, "");
    EXPECT_TRUE(page.ok()) << page.status();
    for (const auto& version : page->datasets()) {
      names.push_back(version.name());
    }
    return names;
  }

  static constexpr std::size_t kBlobsOfVersion = 5;  // two columns, splits, manifest, details

  TemporaryFolder folder_;
  std::string path_ = folder_.path() + "/data";
  std::unique_ptr<DatasetStore> store_ = Open(PosixFileSystem(), path_);
};

TEST_F(DatasetStoreTest, AVersionIsToldInFull) {
  const v1::DatasetVersion version = Put("iris", 1);

  EXPECT_EQ(version.name(), "datasets/iris/versions/1");
  EXPECT_THAT(version.sha256(), testing::MatchesRegex("[0-9a-f]{64}"));
  EXPECT_EQ(version.create_time().seconds(), 1'700'000'000);
  EXPECT_EQ(version.create_time().nanos(), 123'456'000);
  EXPECT_EQ(version.row_count(), 3);
  EXPECT_EQ(version.train_count(), 2);
  EXPECT_EQ(version.validation_count(), 0);
  EXPECT_EQ(version.test_count(), 1);
  EXPECT_EQ(version.sources(0).name(), "file.csv");
  EXPECT_EQ(version.options().label(), "c");
  EXPECT_EQ(version.schema().columns_size(), 2);
  EXPECT_EQ(version.transforms().input_count(), 1);
  EXPECT_EQ(version.effects(0).rule(), "duplicate_rows");

  Reopen();
  const auto read = store_->Get({.id = "iris", .version = 1, .sha256 = {}});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->SerializeAsString().size(), version.SerializeAsString().size());
  EXPECT_EQ(read->ShortDebugString(), version.ShortDebugString());
  EXPECT_EQ(store_->Statistics({.id = "iris", .version = 0, .sha256 = {}})->raw().row_count(), 3);
}

TEST_F(DatasetStoreTest, ContentComesBackAsItWas) {
  Put("iris", 1.25);
  Reopen();

  const auto content = store_->Load({.id = "iris", .version = 0, .sha256 = {}});
  ASSERT_TRUE(content.ok()) << content.status();
  const TestVersion put = VersionOf(1.25);
  ASSERT_EQ(content->table.columns.size(), 2U);
  EXPECT_EQ(content->table.columns[0].numbers, put.table.columns[0].numbers);
  EXPECT_EQ(content->table.columns[0].valid, put.table.columns[0].valid);
  EXPECT_EQ(content->table.columns[1].codes, put.table.columns[1].codes);
  EXPECT_EQ(content->table.columns[1].dictionary, put.table.columns[1].dictionary);
  EXPECT_EQ(content->table.schema.columns(1).name(), "c");
  EXPECT_THAT(features::RowsWith(content->marks, schema::v1::SPLIT_TRAIN), ElementsAre(0, 2));
  EXPECT_THAT(features::RowsWith(content->marks, schema::v1::SPLIT_TEST), ElementsAre(1));
  EXPECT_EQ(content->transforms.input_count(), 1);
}

TEST_F(DatasetStoreTest, TheSameAgainIsTheVersionThatExists) {
  const v1::DatasetVersion first = Put("iris", 1);
  const auto blobs = Blobs();

  TestVersion again = VersionOf(1);
  again.description.mutable_sources(0)->set_name("renamed.csv");
  const auto second = store_->Put("iris", again.New());

  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->ShortDebugString(), first.ShortDebugString()) << "as it was told first";
  EXPECT_EQ(Blobs(), blobs) << "and no second copy";
  EXPECT_THAT(Names(), ElementsAre("datasets/iris/versions/1"));
}

TEST_F(DatasetStoreTest, TheDigestFollowsFromWhatAVersionIsMadeOf) {
  std::set<std::string> digests = {Put("iris", 1).sha256()};
  const auto expect_other = [&](const TestVersion& version, const std::string& what) {
    const auto put = store_->Put("iris", version.New());
    ASSERT_TRUE(put.ok()) << put.status();
    EXPECT_TRUE(digests.insert(put->sha256()).second) << what;
  };

  TestVersion version = VersionOf(2);
  expect_other(version, "a cell");
  version = VersionOf(1);
  version.pipeline_version = 2;
  expect_other(version, "the pipeline");
  version = VersionOf(1);
  version.splits = {.train = {0, 1}, .validation = {}, .test = {2}};
  expect_other(version, "the splits");
  version = VersionOf(1);
  version.description.mutable_options()->set_split_seed(1);
  expect_other(version, "the options");
  version = VersionOf(1);
  version.description.mutable_sources(0)->set_sha256(std::string(64, 'e'));
  expect_other(version, "the source");
  version = VersionOf(1);
  version.table.schema.mutable_columns(0)->set_name("y");
  expect_other(version, "a column's name");
  version = VersionOf(1);
  version.table.columns[1].dictionary = {"a", "c"};
  expect_other(version, "a text");

  EXPECT_EQ(Put("other", 1).sha256(), *digests.find(Put("iris", 1).sha256()))
      << "the dataset's name is no part of it";
}

// Computed from the documented bytes by other means, so that no change of code or library moves the
// identity of what is stored.
TEST_F(DatasetStoreTest, TheDigestIsTheSameInEveryBuild) {
  EXPECT_EQ(Put("iris", 1).sha256(),
            "64a50b00524870714e757bd2c7329aca793e93acc44086ced33f4a18d0bd4bca");
}

// A version of many rows, in groups that mean nothing.
TestVersion LongVersion(std::int64_t group_rows) {
  TestVersion version = VersionOf(1);
  version.group_rows = group_rows;
  features::ColumnCells& x = version.table.columns[0];
  features::ColumnCells& c = version.table.columns[1];
  c.dictionary.clear();
  for (std::int64_t row = 3; row < 70'000; ++row) {
    x.numbers.push_back(static_cast<double>(row) / 4);
    x.valid.push_back(row % 5 == 0 ? 0 : 1);
    c.valid.push_back(1);
    c.codes.push_back(static_cast<std::int32_t>(row % 300));
    if (row % 7 != 0) {
      version.splits.train.push_back(row);
    }
  }
  for (int i = 0; i < 300; ++i) {
    c.dictionary.push_back(fmt::format("text {}", i));
  }
  return version;
}

TEST_F(DatasetStoreTest, GroupsAndThreadsMoveNoDigest) {
  const auto first = store_->Put("iris", LongVersion(100'000).New());
  ASSERT_TRUE(first.ok()) << first.status();
  for (const std::int64_t group_rows : {999, 20'000}) {
    NewVersion version = LongVersion(group_rows).New();
    version.threads = 2;
    const auto again = store_->Put("iris", version);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->sha256(), first->sha256());
  }
  EXPECT_THAT(Names(), ElementsAre("datasets/iris/versions/1"));
}

TEST_F(DatasetStoreTest, RowsAreReadSegmentBySegment) {
  const TestVersion put = LongVersion(10'000);
  ASSERT_TRUE(store_->Put("iris", put.New()).ok());
  const auto rows = store_->OpenRows({.id = "iris", .version = 0, .sha256 = {}});
  ASSERT_TRUE(rows.ok()) << rows.status();
  const auto ends = (*rows)->end_rows(0);
  ASSERT_EQ(ends.size(), 1U) << "60,002 rows are kept, and two columns have long segments";
  EXPECT_EQ(ends[0], static_cast<std::int64_t>((*rows)->marks().size()));
  const auto cells = (*rows)->Read(1, 0);
  ASSERT_TRUE(cells.ok()) << cells.status();
  std::vector<std::int64_t> kept = put.splits.train;
  kept.push_back(1);
  std::sort(kept.begin(), kept.end());
  for (std::size_t i = 0; i < kept.size(); i += 997) {
    EXPECT_EQ(cells->At(static_cast<std::int64_t>(i)).text, put.table.columns[1].At(kept[i]).text);
  }

  ASSERT_TRUE(store_->Delete({.id = "iris", .version = 0, .sha256 = {}}).ok());
  const absl::Status gone = (*rows)->Read(0, 0).status();
  EXPECT_EQ(gone.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(MessageOf(gone), HasSubstr("there is no datasets/iris"));
}

TEST_F(DatasetStoreTest, APutThatIsStoppedLeavesNothing) {
  std::stop_source source;
  source.request_stop();
  const absl::Status status = store_->Put("iris", VersionOf(1).New(), source.get_token()).status();

  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(MessageOf(status), HasSubstr("the import was stopped"));
  EXPECT_THAT(Names(), IsEmpty());
  EXPECT_THAT(Blobs(), IsEmpty());
}

TEST_F(DatasetStoreTest, ColumnsThatWereSetAsideAreNotLoaded) {
  TestVersion version = VersionOf(1);
  version.table.schema.mutable_columns(0)->set_role(schema::v1::COLUMN_ROLE_SET_ASIDE);
  ASSERT_TRUE(store_->Put("iris", version.New()).ok());
  const auto content = store_->Load({.id = "iris", .version = 0, .sha256 = {}});

  ASSERT_TRUE(content.ok()) << content.status();
  ASSERT_EQ(content->table.columns.size(), 1U);
  EXPECT_EQ(content->table.schema.columns(0).name(), "c");
}

TEST_F(DatasetStoreTest, VersionsAreFoundByNumberByDigestAndAsTheNewest) {
  const std::string first = Put("iris", 1).sha256();
  Put("iris", 2);
  const auto name = [&](const VersionedName& wanted) { return store_->Get(wanted)->name(); };

  EXPECT_EQ(name({.id = "iris", .version = 1, .sha256 = {}}), "datasets/iris/versions/1");
  EXPECT_EQ(name({.id = "iris", .version = 0, .sha256 = first}), "datasets/iris/versions/1");
  EXPECT_EQ(name({.id = "iris", .version = 0, .sha256 = {}}), "datasets/iris/versions/2");
  EXPECT_EQ(*store_->Resolve({.id = "iris", .version = 1, .sha256 = {}}), first);
}

TEST_F(DatasetStoreTest, WhatDoesNotExistIsNotFoundByItsName) {
  Put("iris", 1);

  struct Case {
    VersionedName name;
    std::string shown;
  };

  const Case cases[] = {
      {{.id = "rose", .version = 0, .sha256 = {}}, "there is no datasets/rose"},
      {{.id = "iris", .version = 2, .sha256 = {}}, "there is no datasets/iris/versions/2"},
      {{.id = "iris", .version = 0, .sha256 = std::string(64, '0')},
       "there is no datasets/iris/versions/sha256:000"}};
  for (const Case& c : cases) {
    for (const absl::Status& status : {store_->Get(c.name).status(),
                                       store_->Statistics(c.name).status(),
                                       store_->Resolve(c.name).status(),
                                       store_->Load(c.name).status(),
                                       store_->Delete(c.name).status()}) {
      EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
      EXPECT_THAT(MessageOf(status), HasSubstr(c.shown));
      EXPECT_THAT(Fix(status), HasSubstr("dataset ls"));
    }
  }
}

TEST_F(DatasetStoreTest, ListsNewestFirstAndPageByPage) {
  Put("a", 1);
  Put("b", 1);
  Put("a", 2);
  EXPECT_THAT(
      Names(),
      ElementsAre("datasets/a/versions/2", "datasets/b/versions/1", "datasets/a/versions/1"));
  EXPECT_THAT(Names("a"), ElementsAre("datasets/a/versions/2", "datasets/a/versions/1"));
  EXPECT_THAT(Names("none"), IsEmpty());

  const auto first = store_->List("", 2, "");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->datasets_size(), 2);
  EXPECT_FALSE(first->datasets(0).has_schema());
  EXPECT_FALSE(first->datasets(0).has_transforms());
  EXPECT_EQ(first->datasets(0).sources_size(), 1);
  EXPECT_EQ(first->datasets(0).row_count(), 3);
  ASSERT_TRUE(store_->Put("c", VersionOf(9).New()).ok()) << "does not disturb the pages";
  const auto second = store_->List("", 2, first->next_page_token());
  ASSERT_TRUE(second.ok()) << second.status();
  ASSERT_EQ(second->datasets_size(), 1);
  EXPECT_EQ(second->datasets(0).name(), "datasets/a/versions/1");
  EXPECT_EQ(second->next_page_token(), "");
}

TEST_F(DatasetStoreTest, APageEndsBeforeItHasMoreThanOneMebibyte) {
  for (int i = 0; i < 3; ++i) {
    TestVersion version = VersionOf(i);
    version.description.mutable_effects(0)->set_explanation(std::string(600'000, 'x'));
    ASSERT_TRUE(store_->Put("iris", version.New()).ok());
  }

  const auto page = store_->List("", 1'000, "");
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->datasets_size(), 1);
  EXPECT_NE(page->next_page_token(), "");
}

TEST_F(DatasetStoreTest, RefusesAForeignPageToken) {
  for (const std::string token : {"x", "0", "-1", "1x", "99999999999999999999"}) {
    const absl::Status status = store_->List("", 1, token).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << token;
    EXPECT_THAT(MessageOf(status), HasSubstr("page_token"));
  }
}

TEST_F(DatasetStoreTest, DeletingFreesWhatNoOtherVersionUses) {
  Put("a", 1);
  Put("a", 2);  // shares a column and the splits
  Put("b", 1);  // shares everything with the first but what is told, which is equal too
  EXPECT_EQ(Blobs().size(), kBlobsOfVersion + 2);

  EXPECT_EQ(*store_->Delete({.id = "a", .version = 1, .sha256 = {}}), 1);
  EXPECT_EQ(Blobs().size(), kBlobsOfVersion + 2) << "b still uses them";
  EXPECT_TRUE(store_->Load({.id = "b", .version = 1, .sha256 = {}}).ok());

  EXPECT_EQ(*store_->Delete({.id = "b", .version = 0, .sha256 = {}}), 1);
  EXPECT_EQ(Blobs().size(), kBlobsOfVersion);
  EXPECT_TRUE(store_->Load({.id = "a", .version = 2, .sha256 = {}}).ok());

  Put("a", 3);
  EXPECT_EQ(*store_->Delete({.id = "a", .version = 0, .sha256 = {}}), 2) << "all of them";
  EXPECT_THAT(Blobs(), IsEmpty());
  EXPECT_THAT(Names(), IsEmpty());
}

TEST_F(DatasetStoreTest, ANumberIsNeverGivenTwice) {
  Put("a", 1);
  Put("a", 2);
  ASSERT_TRUE(store_->Delete({.id = "a", .version = 2, .sha256 = {}}).ok());
  EXPECT_EQ(Put("a", 2).name(), "datasets/a/versions/3");
  ASSERT_TRUE(store_->Delete({.id = "a", .version = 0, .sha256 = {}}).ok());
  Reopen();

  EXPECT_EQ(Put("a", 2).name(), "datasets/a/versions/4");
}

TEST_F(DatasetStoreTest, AFolderServesOneProcess) {
  const absl::Status status = DatasetStore::Open(PosixFileSystem(), path_, SystemClock()).status();

  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(MessageOf(status), HasSubstr("in use by another process"));
}

TEST_F(DatasetStoreTest, OpenRemovesBlobsThatNoVersionUses) {
  Put("a", 1);
  const auto blobs = Blobs();
  ASSERT_TRUE((*storage::BlobStore::Open(PosixFileSystem(), path_ + "/blobs"))->Put("orphan").ok());
  ASSERT_EQ(Blobs().size(), blobs.size() + 1);

  Reopen();

  EXPECT_EQ(Blobs(), blobs);
}

TEST_F(DatasetStoreTest, BlobsWithoutACatalogAreNotCalledUnused) {
  Put("a", 1);
  const auto blobs = Blobs();
  store_.reset();
  std::filesystem::remove(path_ + "/catalog.db");

  const absl::Status status = DatasetStore::Open(PosixFileSystem(), path_, SystemClock()).status();

  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(MessageOf(status), HasSubstr("catalog.db is missing"));
  EXPECT_EQ(Blobs(), blobs);
}

TEST_F(DatasetStoreTest, TheLayoutNamesEveryBlobAndWhatNeedsIt) {
  Put("a", 1);
  Put("b", 1);
  store_.reset();
  std::filesystem::remove(path_ + "/blobs/" + Blobs().front());

  const auto report = state::Verify(PosixFileSystem(), path_, DatasetStore::Layout());

  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->blobs, kBlobsOfVersion) << "the two versions share them";
  EXPECT_THAT(report->damage,
              ElementsAre(testing::AllOf(HasSubstr("is missing"),
                                         HasSubstr("datasets/a/versions/1 and 1 more"))));
}

TEST_F(DatasetStoreTest, DamageOnDiskIsDataLoss) {
  Put("a", 1);
  const auto whole = store_->Load({.id = "a", .version = 1, .sha256 = {}});
  ASSERT_TRUE(whole.ok());
  for (const std::string& blob : Blobs()) {
    const std::string file = path_ + "/blobs/" + blob;
    std::filesystem::rename(file, file + ".kept");
    EXPECT_EQ(store_->Load({.id = "a", .version = 1, .sha256 = {}}).status().code(),
              absl::StatusCode::kDataLoss)
        << "missing";
    std::ofstream(file) << "rust";
    EXPECT_EQ(store_->Load({.id = "a", .version = 1, .sha256 = {}}).status().code(),
              absl::StatusCode::kDataLoss)
        << "damaged";
    std::filesystem::rename(file + ".kept", file);
  }
  EXPECT_TRUE(store_->Load({.id = "a", .version = 1, .sha256 = {}}).ok());
}

// Goal: whatever step fails, the list shows a version whole or not at all, and nothing else stays.
// Method: let each operation on the disk fail in turn, then open the folder again.
TEST_F(DatasetStoreTest, AFailedPutLeavesNothingBehind) {
  FaultyFileSystem whole;
  Open(whole, folder_.path() + "/whole");
  const int opening = static_cast<int>(whole.operations().size());
  int failing = opening + 1;
  for (bool failed = true; failed; ++failing) {
    const TemporaryFolder folder;
    bool put = false;
    {
      FaultyFileSystem disk(failing);
      const auto store = Open(disk, folder.path());
      const absl::Status status = store->Put("a", VersionOf(1).New()).status();
      failed = disk.operations().size() >= static_cast<std::size_t>(failing);
      put = status.ok();
      EXPECT_EQ(put, !failed) << failing << status;
      EXPECT_EQ(store->List("", 10, "")->datasets_size(), put ? 1 : 0) << failing;
    }
    const auto store = Open(PosixFileSystem(), folder.path());
    EXPECT_EQ(store->Load({.id = "a", .version = 1, .sha256 = {}}).ok(), put) << failing;
    EXPECT_EQ(PosixFileSystem().List(folder.path() + "/blobs")->size(), put ? kBlobsOfVersion : 0U)
        << failing;
    EXPECT_TRUE(store->Put("a", VersionOf(1).New()).ok()) << failing;
  }
  EXPECT_GT(failing - opening, 30) << "five blobs of seven operations";
}

}  // namespace
}  // namespace millrace::data
