#include "common/storage/database.h"

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "common/status/status.h"
#include "tests/unit/common/storage/temporary_folder.h"

namespace millrace::storage {
namespace {

using testing::HasSubstr;

const std::vector<std::string> kMigrations = {
    "CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL) STRICT;"
    "CREATE TABLE child (parent INTEGER NOT NULL REFERENCES parent (id), data BLOB) STRICT;",
};

constexpr char kInsert[] = "INSERT INTO parent (name) VALUES (?)";

class DatabaseTest : public testing::Test {
 protected:
  static std::unique_ptr<Database> Open(const std::string& path,
                                        const std::vector<std::string>& migrations = kMigrations) {
    auto database = Database::Open(path, migrations);
    EXPECT_TRUE(database.ok()) << database.status();
    return database.ok() ? *std::move(database) : nullptr;
  }

  static std::int64_t Count(Database& database) {
    return IntegerOf(database.Query("SELECT count(*) FROM parent")->front().front());
  }

  TemporaryFolder folder_;
  std::string path_ = folder_.path() + "/catalog.db";
};

TEST_F(DatabaseTest, KeepsEveryKindOfValue) {
  const auto database = Open(":memory:");
  const std::string bytes("\x00\xff z", 4);

  const auto rows = database->Query("SELECT ?, ?, ?, ?, ?, ?",
                                    {std::int64_t{-7},
                                     std::string("it's \xC3\xA4"),
                                     Blob{bytes},
                                     std::monostate(),
                                     std::string(),
                                     Blob{}});
  ASSERT_TRUE(rows.ok()) << rows.status();

  const DatabaseRow& row = rows->at(0);
  EXPECT_EQ(IntegerOf(row[0]), -7);
  EXPECT_EQ(TextOf(row[1]), "it's \xC3\xA4");
  EXPECT_EQ(BytesOf(row[2]), bytes);
  EXPECT_TRUE(std::holds_alternative<std::monostate>(row[3]));
  EXPECT_EQ(TextOf(row[4]), "");
}

TEST_F(DatabaseTest, KeepsWhatWasCommittedAcrossOpenings) {
  ASSERT_TRUE(Open(path_)->Query(kInsert, {std::string("a")}).ok());

  EXPECT_EQ(Count(*Open(path_)), 1);
}

TEST_F(DatabaseTest, IsDurableAndDistrustful) {
  const auto database = Open(path_);
  const auto pragma = [&](const std::string& name) {
    return database->Query("PRAGMA " + name)->front().front();
  };

  EXPECT_EQ(TextOf(pragma("journal_mode")), "wal");
  EXPECT_EQ(TextOf(pragma("locking_mode")), "exclusive");
  EXPECT_EQ(IntegerOf(pragma("synchronous")), 2) << "FULL";
  EXPECT_EQ(IntegerOf(pragma("foreign_keys")), 1);
  EXPECT_EQ(IntegerOf(pragma("trusted_schema")), 0);
  EXPECT_EQ(IntegerOf(pragma("cell_size_check")), 1);

  struct stat status {};

  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0077U, 0U) << "for its owner alone";
}

TEST_F(DatabaseTest, ConstraintsHaveTheirCodes) {
  const auto database = Open(":memory:");
  ASSERT_TRUE(database->Query(kInsert, {std::string("a")}).ok());

  const absl::Status twice = database->Query(kInsert, {std::string("a")}).status();
  EXPECT_EQ(twice.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(Message(twice)), HasSubstr("parent.name"));

  const absl::Status orphan = database->Query("INSERT INTO child (parent) VALUES (9)").status();
  EXPECT_EQ(orphan.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(Message(orphan)), HasSubstr("FOREIGN KEY"));
}

TEST_F(DatabaseTest, AWrongStatementIsAnErrorAndNoCrash) {
  const auto database = Open(":memory:");

  const absl::Status status = database->Query("SELEC 1").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("syntax error"));
}

TEST_F(DatabaseTest, AFullDatabaseIsResourceExhausted) {
  const auto database = Open(path_);
  ASSERT_TRUE(database->Query("PRAGMA max_page_count = 1").ok());

  const absl::Status status = database->Query(kInsert, {std::string(100'000, 'x')}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("full"));
  EXPECT_EQ(Count(*database), 0);
}

TEST_F(DatabaseTest, ATransactionIsAllOrNothing) {
  const auto database = Open(path_);

  const absl::Status undone = database->Transact([&]() -> absl::Status {
    RETURN_IF_ERROR(database->Query(kInsert, {std::string("a")}).status());
    EXPECT_EQ(Count(*database), 1) << "seen inside";
    return Cancelled("changed my mind");
  });
  EXPECT_EQ(undone.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Count(*database), 0);

  ASSERT_TRUE(database
                  ->Transact([&]() -> absl::Status {
                    RETURN_IF_ERROR(database->Query(kInsert, {std::string("a")}).status());
                    return database->Query(kInsert, {std::string("b")}).status();
                  })
                  .ok());
  EXPECT_EQ(Count(*database), 2);
}

TEST_F(DatabaseTest, ATransactionInATransactionIsRefusedAndTheOuterOneGoesOn) {
  const auto database = Open(":memory:");

  ASSERT_TRUE(database
                  ->Transact([&]() -> absl::Status {
                    const absl::Status inner = database->Transact([] { return absl::OkStatus(); });
                    EXPECT_EQ(inner.code(), absl::StatusCode::kInternal);
                    EXPECT_THAT(std::string(Message(inner)), HasSubstr("within a transaction"));
                    return database->Query(kInsert, {std::string("a")}).status();
                  })
                  .ok());
  EXPECT_EQ(Count(*database), 1);
}

TEST_F(DatabaseTest, MigrationsRunOnceEachAndInOrder) {
  ASSERT_TRUE(Open(path_)->Query(kInsert, {std::string("a")}).ok());

  std::vector<std::string> more = kMigrations;
  more.emplace_back("ALTER TABLE parent ADD COLUMN size INTEGER; UPDATE parent SET size = 5;");
  const auto database = Open(path_, more);

  EXPECT_EQ(IntegerOf(database->Query("SELECT size FROM parent")->front().front()), 5);
  EXPECT_EQ(IntegerOf(database->Query("PRAGMA user_version")->front().front()), 2);
}

TEST_F(DatabaseTest, ABrokenMigrationChangesNothing) {
  Open(path_);
  std::vector<std::string> broken = kMigrations;
  broken.emplace_back("CREATE TABLE half (id INTEGER) STRICT; NOT SQL;");

  const absl::Status status = Database::Open(path_, broken).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("schema version 2"));

  const auto database = Open(path_);
  EXPECT_EQ(IntegerOf(database->Query("PRAGMA user_version")->front().front()), 1);
  EXPECT_TRUE(database->Query("SELECT 1 FROM sqlite_schema WHERE name = 'half'")->empty());
}

TEST_F(DatabaseTest, ANewerFileIsRefused) {
  std::vector<std::string> newer = kMigrations;
  newer.emplace_back("CREATE TABLE later (id INTEGER) STRICT;");
  Open(path_, newer);

  const absl::Status status = Database::Open(path_, kMigrations).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(Message(status)),
              HasSubstr("schema version 2, this program knows up to 1"));
}

TEST_F(DatabaseTest, ADamagedFileIsDataLoss) {
  {
    std::ofstream stream(path_, std::ios::binary);
    stream << std::string(8'192, 'x');
  }
  const absl::Status foreign = Database::Open(path_, kMigrations).status();
  EXPECT_EQ(foreign.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(Message(foreign)), HasSubstr(path_));

  std::filesystem::remove(path_);
  {
    const auto database = Open(path_);
    for (int i = 0; i < 2'000; ++i) {
      ASSERT_TRUE(database->Query(kInsert, {"name " + std::to_string(i)}).ok());
    }
  }
  {
    std::fstream stream(path_, std::ios::binary | std::ios::in | std::ios::out);
    stream.seekp(3 * 4'096);
    stream << std::string(2'000, '\x55');
  }
  EXPECT_EQ(Database::Open(path_, kMigrations).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(DatabaseTest, AFileHasOneConnection) {
  const auto database = Open(path_);
  ASSERT_TRUE(database->Query(kInsert, {std::string("a")}).ok());

  const absl::Status second = Database::Open(path_, kMigrations).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(Message(second)), HasSubstr("locked"));
}

TEST_F(DatabaseTest, DoesNotFollowASymbolicLink) {
  std::filesystem::create_symlink(folder_.path() + "/elsewhere", path_);

  EXPECT_EQ(Database::Open(path_, kMigrations).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(std::filesystem::exists(folder_.path() + "/elsewhere"));
}

TEST_F(DatabaseTest, ThreadsTakeTurns) {
  const auto database = Open(path_);
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&database, i] {
      for (int n = 0; n < 25; ++n) {
        const absl::Status status = database->Transact([&] {
          return database->Query(kInsert, {std::to_string(i) + "/" + std::to_string(n)}).status();
        });
        EXPECT_TRUE(status.ok()) << status;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }

  EXPECT_EQ(Count(*database), 100);
}

TEST_F(DatabaseTest, CommitsAreSyncedAndTheJournalIsWal) {
  const auto database = Open(path_);

  EXPECT_EQ(IntegerOf(database->Query("PRAGMA synchronous")->at(0).at(0)), 2) << "FULL";
  EXPECT_EQ(TextOf(database->Query("PRAGMA journal_mode")->at(0).at(0)), "wal");
  EXPECT_EQ(TextOf(database->Query("PRAGMA locking_mode")->at(0).at(0)), "exclusive");
}

// Goal: what a killed process has written is synced before anything is built on it. Method: the
// files of an open database are what a killed process leaves; opening them empties the journal,
// which SQLite does after it has synced it.
TEST_F(DatabaseTest, OpenMakesDurableWhatAKilledProcessLeft) {
  const std::string killed = folder_.path() + "/killed.db";
  {
    const auto database = Open(path_);
    ASSERT_TRUE(database->Query(kInsert, {std::string("a")}).ok());
    for (const char* const end : {"", "-wal"}) {
      std::filesystem::copy_file(path_ + end, killed + end);
    }
  }
  ASSERT_GT(std::filesystem::file_size(killed + "-wal"), 0U);

  const auto database = Open(killed);

  EXPECT_EQ(std::filesystem::file_size(killed + "-wal"), 0U);
  EXPECT_EQ(Count(*database), 1);
}

TEST_F(DatabaseTest, ACopyHasWhatIsCommittedAndIsAFileOfItsOwn) {
  const auto database = Open(path_);
  ASSERT_TRUE(database->Query(kInsert, {std::string("a")}).ok());
  const std::string path = folder_.path() + "/copy.db";

  ASSERT_TRUE(database->CopyTo(path).ok());
  ASSERT_TRUE(database->Query(kInsert, {std::string("b")}).ok()) << "the original goes on";

  EXPECT_FALSE(std::filesystem::exists(path + "-wal"));
  EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms(0600));
  EXPECT_EQ(Count(*Open(path)), 1);
  const absl::Status again = database->CopyTo(path);
  EXPECT_EQ(again.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(Message(again)), HasSubstr("copy.db"));
}

TEST_F(DatabaseTest, OpenAsItIsMakesNothingAndMigratesNothing) {
  const absl::Status missing = Database::OpenAsItIs(path_, 1).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(Message(missing)), HasSubstr("catalog.db"));
  EXPECT_FALSE(std::filesystem::exists(path_));

  Open(path_);
  EXPECT_TRUE(Database::OpenAsItIs(path_, 2).ok());
  const absl::Status newer = Database::OpenAsItIs(path_, 0).status();
  EXPECT_EQ(newer.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(Message(newer)), HasSubstr("has schema version 1, this program knows"));
}

TEST_F(DatabaseTest, ASealFollowsEveryChangeOfItsRow) {
  const std::vector<std::string> sealed = {
      "CREATE TABLE sealed ("
      "  place INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT UNIQUE, bytes BLOB,"
      "  seal INTEGER NOT NULL AS (row_seal(place, text, bytes)) STORED) STRICT;"};
  const auto database = Open(path_, sealed);
  const std::string insert = "INSERT INTO sealed (text, bytes) VALUES (?, ?)";
  ASSERT_TRUE(database->Query(insert, {std::string("a"), Blob{"a"}}).ok());
  ASSERT_TRUE(database->Query(insert, {std::monostate(), Blob{""}}).ok());
  ASSERT_TRUE(database->Query("UPDATE sealed SET bytes = x'00' WHERE place = 2").ok());
  ASSERT_TRUE(database
                  ->Query(insert + " ON CONFLICT (text) DO UPDATE SET bytes = NULL",
                          {std::string("a"), Blob{"b"}})
                  .ok());

  EXPECT_THAT(*database->Damage(), testing::IsEmpty());
  EXPECT_EQ(database->Query("SELECT DISTINCT seal FROM sealed")->size(), 2U);
}

TEST_F(DatabaseTest, DamageNamesRowsThatReferToNothing) {
  const auto database = Open(path_);
  EXPECT_THAT(*database->Damage(), testing::IsEmpty());
  ASSERT_TRUE(database->Query("PRAGMA foreign_keys = OFF").ok());
  ASSERT_TRUE(database->Query("INSERT INTO child VALUES (7, NULL)").ok());

  EXPECT_THAT(*database->Damage(),
              testing::ElementsAre("1 rows of table 'child' refer to rows of 'parent' that are not "
                                   "there"));
}

}  // namespace
}  // namespace millrace::storage
