// Goal: verify names whatever is damaged in a service's state. Method: flip bytes, one at a time.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <numeric>
#include <ostream>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/state/state.h"
#include "common/status/status.h"
#include "common/storage/database.h"
#include "services/data/store/dataset_store.h"
#include "services/serving/load/repository.h"
#include "services/training/runs/run_store.h"
#include "tests/faults/flow.h"
#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::faults {
namespace {

using storage::PosixFileSystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A service's state: what the flow makes, with two lines of an audit log.
struct Service {
  Flow flow;
  const state::StateLayout& layout;
};

void PrintTo(const Service& service, std::ostream* stream) {
  *stream << service.layout.format.service;
}

std::string BytesOf(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

class VerifyTest : public testing::TestWithParam<Service> {
 protected:
  void SetUp() override {
    const auto acknowledge = [] {};
    const Flow& flow = GetParam().flow;
    ASSERT_TRUE(flow.prepare(PosixFileSystem(), path_).ok());
    ASSERT_TRUE(flow.perform(PosixFileSystem(), path_, acknowledge).ok());
    for (int line = 0; line < 2; ++line) {
      ASSERT_TRUE(AuditAppend().perform(PosixFileSystem(), path_ + "/audit", acknowledge).ok());
    }
    ASSERT_THAT(Damage(), IsEmpty());
  }

  [[nodiscard]] std::string Catalog() const { return path_ + "/" + GetParam().layout.catalog; }

  [[nodiscard]] std::vector<std::string> Damage() const {
    const auto report = state::Verify(PosixFileSystem(), path_, GetParam().layout);
    return report.ok() ? report->damage
                       : std::vector<std::string>{std::string(Message(report.status()))};
  }

  // What verify says where the byte is another.
  [[nodiscard]] std::vector<std::string> DamageWithout(const std::string& path,
                                                       std::size_t at) const {
    const std::string whole = BytesOf(path);
    std::string flipped = whole;
    flipped[at] = static_cast<char>(~flipped[at]);
    std::ofstream(path, std::ios::binary) << flipped;
    std::vector<std::string> damage = Damage();
    std::ofstream(path, std::ios::binary) << whole;
    return damage;
  }

  // What a value has of bytes; none for a number.
  static std::string BytesIn(const storage::DatabaseValue& value) {
    if (const auto* const text = std::get_if<std::string>(&value)) {
      return *text;
    }
    const auto* const blob = std::get_if<storage::Blob>(&value);
    return blob == nullptr ? "" : blob->bytes;
  }

  // What is found when the catalog has one byte of `value` flipped, wherever that stands.
  [[nodiscard]] std::string FindingsWithout(const std::string& value) {
    constexpr std::size_t kFindable = 4;
    const std::string bytes = BytesOf(Catalog());
    std::string findings;
    std::size_t at = value.size() < kFindable ? std::string::npos : bytes.find(value);
    for (; at != std::string::npos; at = bytes.find(value, at + 1)) {
      const auto damage = DamageWithout(Catalog(), at + value.size() / 2);
      EXPECT_THAT(damage, Contains(HasSubstr(Catalog()))) << "byte " << at;
      findings = std::accumulate(damage.begin(), damage.end(), std::move(findings));
    }
    return findings;
  }

  // The texts and byte strings of each table's rows that are long enough to be found in the file.
  [[nodiscard]] std::map<std::string, std::set<std::string>> ValuesOfTables() const {
    std::map<std::string, std::set<std::string>> values;
    const auto catalog =
        storage::Database::OpenAsItIs(Catalog(), GetParam().layout.catalog_version);
    EXPECT_TRUE((*catalog)->Query("VACUUM").ok()) << "no old copies lie in unused space";
    const auto tables = (*catalog)->Query(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
    for (const storage::DatabaseRow& table : *tables) {
      const std::string& name = storage::TextOf(table.at(0));
      const auto rows = (*catalog)->Query("SELECT * FROM " + name);
      for (const storage::DatabaseRow& row : *rows) {
        std::transform(
            row.begin(), row.end(), std::inserter(values[name], values[name].end()), BytesIn);
      }
    }
    return values;
  }

  storage::TemporaryFolder folder_;
  std::string path_ = folder_.path() + "/state";
};

TEST_P(VerifyTest, NamesEveryFileThatIsDamaged) {
  int files = 0;
  for (const char* const kind : {"blobs", "audit"}) {
    if (!std::filesystem::exists(path_ + "/" + kind)) {
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(path_ + "/" + kind)) {
      const std::size_t size = entry.file_size();
      for (const std::size_t at : {std::size_t{0}, size / 2, size - 1}) {
        EXPECT_THAT(DamageWithout(entry.path(), at),
                    ElementsAre(HasSubstr(entry.path().filename().string())))
            << "byte " << at;
      }
      ++files;
    }
  }
  EXPECT_GE(files, 1);
  EXPECT_THAT(DamageWithout(path_ + "/format", 0), ElementsAre(HasSubstr("/format does not say")));
  EXPECT_THAT(DamageWithout(Catalog(), 0), ElementsAre(HasSubstr(Catalog())));
  EXPECT_THAT(Damage(), IsEmpty());
}

TEST_P(VerifyTest, NamesEveryRowThatIsDamaged) {
  for (const auto& [table, values] : ValuesOfTables()) {
    SCOPED_TRACE(table);
    std::string findings;
    for (const std::string& value : values) {
      findings += FindingsWithout(value);
    }
    EXPECT_THAT(findings, HasSubstr("of table '" + table + "'"));
  }
}

INSTANTIATE_TEST_SUITE_P(Services,
                         VerifyTest,
                         testing::Values(Service{DataImport(), data::DatasetStore::Layout()},
                                         Service{ServingRoute(), serving::Repository::Layout()},
                                         Service{TrainingAppend(), training::RunStore::Layout()}),
                         [](const auto& service) { return service.param.layout.format.service; });

}  // namespace
}  // namespace millrace::faults
