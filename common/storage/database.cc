#include "common/storage/database.h"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <span>

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/status/check.h"
#include "common/status/status.h"
#include "common/storage/durable_file.h"
#include "common/storage/posix_error.h"
#include "common/storage/sha256.h"

namespace millrace::storage {

namespace {

constexpr std::string_view kInMemory = ":memory:";

using Statement = std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)>;

absl::StatusCode CodeOf(int result, int extended) {
  switch (result) {
    case SQLITE_CONSTRAINT:
      return extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY ||
                     extended == SQLITE_CONSTRAINT_ROWID
                 ? absl::StatusCode::kAlreadyExists
                 : absl::StatusCode::kFailedPrecondition;
    case SQLITE_FULL:
    case SQLITE_NOMEM:
    case SQLITE_TOOBIG:
      return absl::StatusCode::kResourceExhausted;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::StatusCode::kDataLoss;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return absl::StatusCode::kUnavailable;
    default:
      return absl::StatusCode::kInternal;
  }
}

// Text and bytes are not copied: `value` outlives the statement.
int Bind(sqlite3_stmt* statement, int index, const DatabaseValue& value) {
  if (const auto* const integer = std::get_if<std::int64_t>(&value)) {
    return sqlite3_bind_int64(statement, index, *integer);
  }
  if (const auto* const text = std::get_if<std::string>(&value)) {
    return sqlite3_bind_text64(statement, index, text->data(), text->size(), nullptr, SQLITE_UTF8);
  }
  if (const auto* const blob = std::get_if<Blob>(&value)) {
    return sqlite3_bind_blob64(statement, index, blob->bytes.data(), blob->bytes.size(), nullptr);
  }
  return sqlite3_bind_null(statement, index);
}

std::string BytesAt(sqlite3_stmt* statement, int column) {
  const auto* const data = static_cast<const char*>(sqlite3_column_blob(statement, column));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
  return size == 0 ? std::string() : std::string(data, size);
}

DatabaseValue ValueAt(sqlite3_stmt* statement, int column) {
  const int type = sqlite3_column_type(statement, column);
  CHECK(type != SQLITE_FLOAT);  // no schema of ours has such a column
  switch (type) {
    case SQLITE_INTEGER:
      return sqlite3_column_int64(statement, column);
    case SQLITE_TEXT:
      return BytesAt(statement, column);
    case SQLITE_BLOB:
      return Blob{BytesAt(statement, column)};
    default:
      return std::monostate();
  }
}

// SQL function: what database.h says of seals.
void RowSeal(sqlite3_context* context, int count, sqlite3_value** values) {
  Sha256 sha256;
  const auto add_number = [&](std::int64_t number) {
    std::string bytes(sizeof(number), '\0');
    std::memcpy(bytes.data(), &number, sizeof(number));
    sha256.Update(bytes);
  };
  for (sqlite3_value* const value : std::span(values, static_cast<std::size_t>(count))) {
    const int type = sqlite3_value_type(value);
    add_number(type);
    if (type == SQLITE_INTEGER) {
      add_number(sqlite3_value_int64(value));
    } else {
      const auto* const data = static_cast<const char*>(sqlite3_value_blob(value));
      const int size = sqlite3_value_bytes(value);
      add_number(size);
      sha256.Update(size == 0 ? std::string_view()
                              : std::string_view(data, static_cast<std::size_t>(size)));
    }
  }
  const std::string digest = sha256.Finish();
  std::int64_t seal = 0;
  std::memcpy(&seal, digest.data(), sizeof(seal));
  sqlite3_result_int64(context, seal);
}

std::string Quoted(const std::string& name) {
  return fmt::format("\"{}\"", name);  // no schema of ours has a quote in a name
}

// Makes the file readable by its owner alone; SQLite gives its journal the same rights.
absl::Status CreateFile(const std::string& path, int flags) {
  const int descriptor =
      open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | flags, S_IRUSR | S_IWUSR);
  if (descriptor < 0) {
    return PosixError("open", path, errno);
  }
  close(descriptor);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Open(
    const std::string& path,
    const std::vector<std::string>& migrations) {
  if (path != kInMemory) {
    RETURN_IF_ERROR(CreateFile(path, O_NOFOLLOW));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<Database> database, Connect(path));
  RETURN_IF_ERROR(database->Migrate(path, migrations));
  return database;
}

absl::StatusOr<std::unique_ptr<Database>> Database::OpenAsItIs(const std::string& path,
                                                               std::size_t version_max) {
  if (access(path.c_str(), F_OK) != 0) {
    return PosixError("open", path, errno);
  }
  ASSIGN_OR_RETURN(std::unique_ptr<Database> database, Connect(path));
  RETURN_IF_ERROR(database->Version(path, version_max).status());
  return database;
}

absl::StatusOr<std::unique_ptr<Database>> Database::Connect(const std::string& path) {
  std::unique_ptr<Database> database(new Database());
  constexpr int kFlags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (sqlite3_open_v2(path.c_str(), &database->connection_, kFlags, nullptr) != SQLITE_OK) {
    return database->Failure("opening " + path);
  }
  if (path != kInMemory) {
    database->reserve_ = Reserve::Of(ParentOf(path));
  }
  RETURN_IF_ERROR(database->Configure(path));
  return database;
}

Database::~Database() {
  sqlite3_close(connection_);
}

absl::Status Database::Configure(const std::string& path) {
  sqlite3_extended_result_codes(connection_, 1);
  sqlite3_db_config(connection_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(connection_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(connection_, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  sqlite3_db_config(connection_, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  constexpr int kFunctionFlags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
  if (sqlite3_create_function_v2(connection_,
                                 "row_seal",
                                 -1,
                                 kFunctionFlags,
                                 nullptr,
                                 RowSeal,
                                 nullptr,
                                 nullptr,
                                 nullptr) != SQLITE_OK) {
    return Failure("preparing " + path);
  }
  const absl::Status configured = Execute(
      "PRAGMA cell_size_check = ON; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
      "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;");
  if (absl::IsUnavailable(configured)) {
    return WithFix(Annotate(configured, path), "another process may have it open: end that one");
  }
  if (!configured.ok()) {
    return Annotate(configured, path);
  }
  const auto checked = Query("PRAGMA quick_check(1)");
  if (!checked.ok()) {
    return Annotate(checked.status(), path);
  }
  if (checked->size() != 1 || TextOf(checked->front().front()) != "ok") {
    return WithFix(DataLoss("{} is damaged: {}", path, TextOf(checked->front().front())),
                   "restore it from a backup");
  }
  // Syncs the journal before it moves it into the file, and the file after.
  return Annotate(Query("PRAGMA wal_checkpoint(TRUNCATE)").status(), path);
}

absl::StatusOr<std::size_t> Database::Version(const std::string& path, std::size_t version_max) {
  ASSIGN_OR_RETURN(const std::vector<DatabaseRow> rows, Query("PRAGMA user_version"));
  const std::int64_t found = IntegerOf(rows.at(0).at(0));
  if (found < 0 || found > static_cast<std::int64_t>(version_max)) {
    return WithFix(
        FailedPrecondition(
            "{} has schema version {}, this program knows up to {}", path, found, version_max),
        "start the newer program that wrote it");
  }
  return static_cast<std::size_t>(found);
}

absl::Status Database::Migrate(const std::string& path,
                               const std::vector<std::string>& migrations) {
  ASSIGN_OR_RETURN(const std::size_t found, Version(path, migrations.size()));
  for (std::size_t version = found; version < migrations.size(); ++version) {
    const absl::Status migrated = Transact([&]() -> absl::Status {
      const absl::Status executed = Execute(migrations[version]);
      return executed.ok() ? Execute(fmt::format("PRAGMA user_version = {}", version + 1))
                           : executed;
    });
    if (!migrated.ok()) {
      return Annotate(migrated, fmt::format("{}: schema version {}", path, version + 1));
    }
  }
  return absl::OkStatus();
}

absl::Status Database::Execute(const std::string& sql) {
  const std::lock_guard lock(mutex_);
  if (sqlite3_exec(connection_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return Failure("database");
  }
  return absl::OkStatus();
}

absl::Status Database::Failure(std::string_view action) const {
  const int extended = sqlite3_extended_errcode(connection_);
  const int result = extended & 0xFF;
  absl::Status failure(CodeOf(result, extended),
                       fmt::format("{}: {}", action, sqlite3_errmsg(connection_)));
  return result == SQLITE_FULL ? WithFix(std::move(failure), kDiskFullFix) : failure;
}

absl::StatusOr<std::vector<DatabaseRow>> Database::Query(std::string_view sql,
                                                         const DatabaseRow& parameters) {
  const std::lock_guard lock(mutex_);
  sqlite3_stmt* raw = nullptr;
  const int size = static_cast<int>(sql.size());
  if (sqlite3_prepare_v2(connection_, sql.data(), size, &raw, nullptr) != SQLITE_OK) {
    return Failure("database");
  }
  const Statement statement(raw, sqlite3_finalize);
  CHECK(static_cast<int>(parameters.size()) == sqlite3_bind_parameter_count(raw));
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (Bind(raw, static_cast<int>(i) + 1, parameters[i]) != SQLITE_OK) {
      return Failure("database");
    }
  }
  std::vector<DatabaseRow> rows;
  int result = sqlite3_step(raw);
  for (; result == SQLITE_ROW; result = sqlite3_step(raw)) {
    DatabaseRow& row = rows.emplace_back();
    for (int column = 0; column < sqlite3_column_count(raw); ++column) {
      row.push_back(ValueAt(raw, column));
    }
  }
  if (result != SQLITE_DONE) {
    return Failure("database");
  }
  return rows;
}

absl::Status Database::Transact(const std::function<absl::Status()>& work) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(Execute("BEGIN IMMEDIATE"));
  absl::Status status = work();
  if (status.ok()) {
    status = Execute("COMMIT");
  }
  if (!status.ok() && sqlite3_get_autocommit(connection_) == 0) {
    Execute("ROLLBACK")
        .IgnoreError();  // a failed one leaves nothing either: it was never committed
  }
  return status;
}

absl::Status Database::TransactToRemove(const std::function<absl::Status()>& work) {
  const auto transact = [&] { return Transact(work); };
  return reserve_ == nullptr ? transact() : reserve_->Spend(transact);
}

absl::StatusOr<std::vector<std::string>> Database::Damage() {
  std::vector<std::string> damage;
  ASSIGN_OR_RETURN(const auto checked, Query("PRAGMA integrity_check"));
  for (const DatabaseRow& row : checked) {
    if (TextOf(row.at(0)) != "ok") {
      damage.push_back(TextOf(row.at(0)));
    }
  }
  ASSIGN_OR_RETURN(const auto references,
                   Query("SELECT \"table\", parent, count(*) FROM pragma_foreign_key_check"
                         " GROUP BY 1, 2"));
  for (const DatabaseRow& row : references) {
    damage.push_back(fmt::format("{} rows of table '{}' refer to rows of '{}' that are not there",
                                 IntegerOf(row.at(2)),
                                 TextOf(row.at(0)),
                                 TextOf(row.at(1))));
  }
  ASSIGN_OR_RETURN(const auto sealed,
                   Query("SELECT tables.name FROM pragma_table_list AS tables,"
                         " pragma_table_xinfo(tables.name) AS columns"
                         " WHERE tables.schema = 'main' AND columns.name = 'seal'"));
  for (const DatabaseRow& row : sealed) {
    ASSIGN_OR_RETURN(const std::vector<std::string> broken, BrokenSeals(TextOf(row.at(0))));
    damage.insert(damage.end(), broken.begin(), broken.end());
  }
  return damage;
}

absl::StatusOr<std::vector<std::string>> Database::BrokenSeals(const std::string& table) {
  ASSIGN_OR_RETURN(
      const auto columns,
      Query("SELECT name, pk FROM pragma_table_xinfo(?) WHERE hidden = 0 ORDER BY cid", {table}));
  std::string names;
  std::string key;
  for (const DatabaseRow& column : columns) {
    const std::string name = Quoted(TextOf(column.at(0)));
    names += (names.empty() ? "" : ", ") + name;
    if (IntegerOf(column.at(1)) > 0) {
      key += (key.empty() ? "quote(" : " || ', ' || quote(") + name + ")";
    }
  }
  ASSIGN_OR_RETURN(const auto broken,
                   Query(fmt::format("SELECT {} FROM {} WHERE seal IS NOT row_seal({}) LIMIT 100",
                                     key,
                                     Quoted(table),
                                     names)));
  std::vector<std::string> damage;
  damage.reserve(broken.size());
  for (const DatabaseRow& row : broken) {
    damage.push_back(
        fmt::format("row {} of table '{}' is not what was written", TextOf(row.at(0)), table));
  }
  return damage;
}

absl::Status Database::CopyTo(const std::string& path, absl::FunctionRef<absl::Status()> and_then) {
  RETURN_IF_ERROR(CreateFile(path, O_EXCL));
  ASSIGN_OR_RETURN(const std::unique_ptr<Database> copy, Connect(path));
  const std::lock_guard lock(mutex_);
  sqlite3_backup* const backup =
      sqlite3_backup_init(copy->connection_, "main", connection_, "main");
  if (backup == nullptr) {
    return copy->Failure("copying to " + path);
  }
  sqlite3_backup_step(backup, -1);  // all pages; what failed is told by the end
  if (sqlite3_backup_finish(backup) != SQLITE_OK) {
    return copy->Failure("copying to " + path);
  }
  RETURN_IF_ERROR(Annotate(copy->Query("PRAGMA wal_checkpoint(TRUNCATE)").status(), path));
  return and_then();
}

absl::Status CheckCatalogIsThere(const std::string& path) {
  if (access(path.c_str(), F_OK) == 0) {
    return absl::OkStatus();
  }
  return WithFix(DataLoss("{} is missing, and with it the names of all that is stored", path),
                 "restore the state from a backup");
}

std::int64_t IntegerOf(const DatabaseValue& value) {
  const auto* const integer = std::get_if<std::int64_t>(&value);
  CHECK(integer != nullptr);
  return *integer;
}

const std::string& TextOf(const DatabaseValue& value) {
  const auto* const text = std::get_if<std::string>(&value);
  CHECK(text != nullptr);
  return *text;
}

const std::string& BytesOf(const DatabaseValue& value) {
  const auto* const blob = std::get_if<Blob>(&value);
  CHECK(blob != nullptr);
  return blob->bytes;
}

}  // namespace millrace::storage
