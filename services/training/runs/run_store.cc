#include "services/training/runs/run_store.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <set>
#include <span>
#include <utility>

#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/time_util.h>

#include "common/clock/random.h"
#include "common/resource/page.h"
#include "common/status/status.h"
#include "services/training/runs/run_state.h"

namespace millrace::training {

namespace {

using storage::Blob;
using storage::BytesOf;
using storage::DatabaseRow;
using storage::IntegerOf;
using v1::Run;
using v1::RunEvent;

// Events that are read at once where all are looked at.
constexpr std::size_t kEventsRead = 1'000;

// AUTOINCREMENT never gives a number twice, even after a deletion.
constexpr std::string_view kSchema = R"(
CREATE TABLE runs (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  request_id TEXT UNIQUE,
  state INTEGER NOT NULL,
  last_sequence INTEGER NOT NULL,
  run BLOB NOT NULL,
  seal INTEGER NOT NULL AS (row_seal(number, name, request_id, state, last_sequence, run)) STORED
) STRICT;
CREATE INDEX runs_by_state ON runs (state, number);
CREATE TABLE events (
  run INTEGER NOT NULL REFERENCES runs (number),
  sequence INTEGER NOT NULL,
  event BLOB NOT NULL,
  seal INTEGER NOT NULL AS (row_seal(run, sequence, event)) STORED,
  PRIMARY KEY (run, sequence)
) STRICT, WITHOUT ROWID;
)";

const std::vector<std::string>& Migrations() {
  static const std::vector<std::string> migrations = {std::string(kSchema)};
  return migrations;
}

google::protobuf::Timestamp TimestampOf(const Clock& clock) {
  const auto now = clock.Now().time_since_epoch();
  return google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(
      std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

absl::Status Damaged(std::string_view what) {
  return DataLoss("the catalog of runs holds {} that cannot be read", what);
}

absl::StatusOr<std::vector<Run>> RunsOf(const std::vector<DatabaseRow>& rows, std::size_t column) {
  std::vector<Run> runs(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!runs[i].ParseFromString(BytesOf(rows[i].at(column)))) {
      return Damaged("a run");
    }
  }
  return runs;
}

// The number that a page begins below; no token begins above all.
absl::StatusOr<std::int64_t> NumberOfToken(std::string_view token) {
  std::int64_t number = std::numeric_limits<std::int64_t>::max();
  if (token.empty()) {
    return number;
  }
  const char* const end = token.data() + token.size();
  const auto [read_to, error] = std::from_chars(token.data(), end, number);
  if (error != std::errc() || read_to != end || number < 1) {
    return WithFix(InvalidArgument("page_token is not one that a page gave"),
                   "take next_page_token of the response before, or leave it empty");
  }
  return number;
}

// An epoch's event, and what it was worth.
struct EpochMark {
  std::int64_t sequence = 0;
  std::int32_t epoch = 0;
  double loss = 0;  // on validation, where there is one
};

void AppendMarks(const std::vector<RunEvent>& events, std::vector<EpochMark>& marks) {
  for (const RunEvent& event : events) {
    if (event.has_epoch()) {
      const auto& epoch = event.epoch();
      marks.push_back(
          {.sequence = event.sequence(),
           .epoch = epoch.epoch(),
           .loss = epoch.has_validation() ? epoch.validation().loss() : epoch.train_loss()});
    }
  }
}

// Sequences of the epochs that go, so that `kept_max` stay: the ends, the best, and what lies in
// even distances between them.
std::vector<std::int64_t> Superfluous(const std::vector<EpochMark>& marks,
                                      std::int32_t best_epoch,
                                      std::int64_t kept_max) {
  const auto count = static_cast<std::int64_t>(marks.size());
  if (count <= kept_max) {
    return {};
  }
  std::set<std::int64_t> kept;
  const auto best = std::min_element(marks.begin(), marks.end(), [&](const auto& a, const auto& b) {
    return best_epoch > 0 ? std::abs(a.epoch - best_epoch) < std::abs(b.epoch - best_epoch)
                          : a.loss < b.loss;
  });
  kept.insert(best->sequence);
  const std::int64_t steps = kept_max - 2;  // with both ends one mark more, and the best
  for (std::int64_t i = 0; i <= steps; ++i) {
    kept.insert(marks[static_cast<std::size_t>(i * (count - 1) / steps)].sequence);
  }
  std::vector<std::int64_t> superfluous;
  for (const EpochMark& mark : marks) {
    if (!kept.contains(mark.sequence)) {
      superfluous.push_back(mark.sequence);
    }
  }
  return superfluous;
}

}  // namespace

const state::StateLayout& RunStore::Layout() {
  static const state::StateLayout layout = [] {
    state::StateLayout of;
    of.format = {.service = "training", .version = 1};
    of.catalog = "runs.db";
    of.catalog_version = Migrations().size();
    return of;
  }();
  return layout;
}

absl::StatusOr<std::unique_ptr<RunStore>> RunStore::Open(const std::string& path,
                                                         const Clock& clock) {
  ASSIGN_OR_RETURN(std::unique_ptr<storage::Database> database,
                   storage::Database::Open(path, Migrations()));
  return std::unique_ptr<RunStore>(new RunStore(std::move(database), clock));
}

absl::StatusOr<Run> RunStore::Add(Run run, const std::string& request_id) {
  Row row;
  row.run = std::move(run);
  row.run.set_state(Run::STATE_UNSPECIFIED);
  RETURN_IF_ERROR(MoveTo(Run::STATE_QUEUED, row.run));
  *row.run.mutable_create_time() = TimestampOf(clock_);
  // The suffix tells runs of this store from those of an earlier one that was thrown away.
  const std::string suffix = RandomHex(2);
  const absl::Status stored = database_->Transact([&]() -> absl::Status {
    storage::DatabaseValue request;
    if (!request_id.empty()) {
      request = request_id;
    }
    ASSIGN_OR_RETURN(const std::vector<DatabaseRow> inserted,
                     database_->Query("INSERT INTO runs (name, request_id, state, last_sequence, "
                                      "run) VALUES (?, ?, 0, 0, x'') RETURNING number",
                                      {"new-" + suffix, request}));
    row.number = IntegerOf(inserted.at(0).at(0));
    row.run.set_name(fmt::format("runs/r{}-{}", row.number, suffix));
    RunEvent event;
    *event.mutable_run() = row.run;
    RETURN_IF_ERROR(WriteEvent(row, std::move(event)));
    return WriteRow(row);
  });
  RETURN_IF_ERROR(stored);
  return row.run;
}

absl::StatusOr<std::optional<Run>> RunStore::FindByRequest(const std::string& request_id) {
  ASSIGN_OR_RETURN(const std::vector<DatabaseRow> rows,
                   database_->Query("SELECT run FROM runs WHERE request_id = ?", {request_id}));
  ASSIGN_OR_RETURN(std::vector<Run> runs, RunsOf(rows, 0));
  if (runs.empty()) {
    return std::nullopt;
  }
  return std::move(runs.front());
}

absl::StatusOr<Run> RunStore::Get(const std::string& name) {
  ASSIGN_OR_RETURN(Row row, Find(name));
  return std::move(row.run);
}

absl::StatusOr<std::string> RunStore::RequestOf(const std::string& name) {
  ASSIGN_OR_RETURN(
      const std::vector<DatabaseRow> rows,
      database_->Query("SELECT IFNULL(request_id, '') FROM runs WHERE name = ?", {name}));
  return rows.empty() ? "" : storage::TextOf(rows[0].at(0));
}

absl::StatusOr<std::int64_t> RunStore::NumberOf(const std::string& name) {
  ASSIGN_OR_RETURN(const Row row, Find(name));
  return row.number;
}

absl::StatusOr<std::vector<Run>> RunStore::InState(Run::State state) {
  ASSIGN_OR_RETURN(const std::vector<DatabaseRow> rows,
                   database_->Query("SELECT run FROM runs WHERE state = ? ORDER BY number",
                                    {std::int64_t{state}}));
  return RunsOf(rows, 0);
}

absl::StatusOr<RunStore::Page> RunStore::List(std::int32_t page_size, std::string_view page_token) {
  ASSIGN_OR_RETURN(const std::int64_t below, NumberOfToken(page_token));
  // One more than asked for tells whether there is a next page.
  ASSIGN_OR_RETURN(
      std::vector<DatabaseRow> rows,
      database_->Query("SELECT number, run FROM runs WHERE number < ? ORDER BY number DESC LIMIT ?",
                       {below, std::int64_t{page_size} + 1}));
  Page page;
  PageRoom room(page_size);
  const auto end = std::find_if_not(rows.begin(), rows.end(), [&](const DatabaseRow& row) {
    return room.Take(storage::BytesOf(row.at(1)).size());
  });
  if (end != rows.end()) {
    rows.erase(end, rows.end());
    page.next_page_token = fmt::format("{}", IntegerOf(rows.back().at(0)));
  }
  ASSIGN_OR_RETURN(page.runs, RunsOf(rows, 1));
  return page;
}

absl::StatusOr<Run> RunStore::Move(const std::string& name,
                                   Run::State to,
                                   const std::function<void(Run&)>& change) {
  Run moved;
  const absl::Status stored = database_->Transact([&]() -> absl::Status {
    ASSIGN_OR_RETURN(Row row, Find(name));
    RETURN_IF_ERROR(MoveTo(to, row.run));
    row.run.clear_reason();
    if (change) {
      change(row.run);
    }
    if (IsTerminal(to)) {
      *row.run.mutable_end_time() = TimestampOf(clock_);
    }
    RunEvent event;
    *event.mutable_run() = row.run;
    RETURN_IF_ERROR(WriteEvent(row, std::move(event)));
    RETURN_IF_ERROR(WriteRow(row));
    moved = std::move(row.run);
    return absl::OkStatus();
  });
  RETURN_IF_ERROR(stored);
  Notify(name);
  return moved;
}

absl::Status RunStore::Append(const std::string& name, std::vector<RunEvent> events) {
  const absl::Status stored = database_->Transact([&]() -> absl::Status {
    ASSIGN_OR_RETURN(Row row, Find(name));
    if (IsTerminal(row.run.state())) {
      return FailedPrecondition(
          "{} has {} and takes no more events", name, StateName(row.run.state()));
    }
    RETURN_IF_ERROR(WriteEvents(row, std::move(events)));
    return WriteRow(row);
  });
  RETURN_IF_ERROR(stored);
  Notify(name);
  return absl::OkStatus();
}

absl::StatusOr<std::int64_t> RunStore::Delete(const std::string& name) {
  std::int64_t number = 0;
  const absl::Status deleted = database_->TransactToRemove([&]() -> absl::Status {
    ASSIGN_OR_RETURN(const Row row, FindAtRest(name));
    number = row.number;
    RETURN_IF_ERROR(database_->Query("DELETE FROM events WHERE run = ?", {row.number}).status());
    return database_->Query("DELETE FROM runs WHERE number = ?", {row.number}).status();
  });
  RETURN_IF_ERROR(deleted);
  Notify(name);
  return number;
}

absl::Status RunStore::ThinEpochs(const std::string& name) {
  ASSIGN_OR_RETURN(const Row row, FindAtRest(name));
  ASSIGN_OR_RETURN(const std::vector<DatabaseRow> counted,
                   database_->Query("SELECT COUNT(*) FROM events WHERE run = ?", {row.number}));
  if (IntegerOf(counted.at(0).at(0)) <= kEpochsKept) {
    return absl::OkStatus();
  }
  std::vector<EpochMark> epochs;
  std::int64_t after = 0;
  while (after < row.last_sequence) {
    ASSIGN_OR_RETURN(const std::vector<RunEvent> events,
                     Events(name, after, std::int64_t{kEventsRead}));
    if (events.empty()) {
      break;
    }
    after = events.back().sequence();
    AppendMarks(events, epochs);
  }
  const std::vector<std::int64_t> gone = Superfluous(epochs, row.run.best_epoch(), kEpochsKept);
  for (std::size_t first = 0; first < gone.size(); first += kEventsRead) {
    // A part at a time: others wait for the database no longer than for that.
    const auto part = std::span(gone).subspan(first);
    RETURN_IF_ERROR(DeleteEvents(row.number, part.first(std::min(part.size(), kEventsRead))));
  }
  return absl::OkStatus();
}

absl::Status RunStore::DeleteEvents(std::int64_t number, std::span<const std::int64_t> sequences) {
  return database_->Transact([&] {
    absl::Status deleted;
    for (auto next = sequences.begin(); deleted.ok() && next != sequences.end(); ++next) {
      deleted =
          database_->Query("DELETE FROM events WHERE run = ? AND sequence = ?", {number, *next})
              .status();
    }
    return deleted;
  });
}

absl::StatusOr<std::vector<std::string>> RunStore::WithManyEvents() {
  ASSIGN_OR_RETURN(
      const std::vector<DatabaseRow> rows,
      database_->Query("SELECT name FROM runs WHERE last_sequence > ? AND state IN (?, ?, ?, ?)",
                       {kEpochsKept,
                        std::int64_t{Run::STATE_SUCCEEDED},
                        std::int64_t{Run::STATE_FAILED},
                        std::int64_t{Run::STATE_CANCELLED},
                        std::int64_t{Run::STATE_UNPUBLISHED}}));
  std::vector<std::string> names;
  names.reserve(rows.size());
  for (const DatabaseRow& row : rows) {
    names.push_back(storage::TextOf(row.at(0)));
  }
  return names;
}

absl::StatusOr<std::vector<std::string>> RunStore::EndedBefore(
    std::chrono::system_clock::time_point time) {
  const std::int64_t before =
      std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
  std::vector<std::string> names;
  for (const Run::State state : {Run::STATE_SUCCEEDED, Run::STATE_FAILED, Run::STATE_CANCELLED}) {
    ASSIGN_OR_RETURN(const std::vector<Run> runs, InState(state));
    for (const Run& run : runs) {
      if (google::protobuf::util::TimeUtil::TimestampToMicroseconds(run.end_time()) < before) {
        names.push_back(run.name());
      }
    }
  }
  return names;
}

absl::StatusOr<std::vector<RunEvent>> RunStore::Events(const std::string& name,
                                                       std::int64_t after_sequence,
                                                       std::int64_t count_max) {
  ASSIGN_OR_RETURN(const std::vector<DatabaseRow> rows,
                   database_->Query("SELECT event FROM events WHERE run = (SELECT number FROM runs "
                                    "WHERE name = ?) AND sequence > ? ORDER BY sequence LIMIT ?",
                                    {name, after_sequence, count_max}));
  std::vector<RunEvent> events(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!events[i].ParseFromString(BytesOf(rows[i].at(0)))) {
      return Damaged("an event");
    }
  }
  return events;
}

absl::StatusOr<RunStore::Row> RunStore::Find(std::string_view name) {
  ASSIGN_OR_RETURN(const std::vector<DatabaseRow> rows,
                   database_->Query("SELECT number, last_sequence, run FROM runs WHERE name = ?",
                                    {std::string(name)}));
  if (rows.empty()) {
    return WithFix(NotFound("there is no {}", name), "list them: millrace run ls");
  }
  Row row;
  row.number = IntegerOf(rows[0].at(0));
  row.last_sequence = IntegerOf(rows[0].at(1));
  if (!row.run.ParseFromString(BytesOf(rows[0].at(2)))) {
    return Damaged("a run");
  }
  return row;
}

absl::StatusOr<RunStore::Row> RunStore::FindAtRest(const std::string& name) {
  ASSIGN_OR_RETURN(Row row, Find(name));
  if (!IsAtRest(row.run.state())) {
    return WithFix(FailedPrecondition("{} is {}", name, StateName(row.run.state())),
                   "wait for its end, or cancel it: millrace run cancel");
  }
  return row;
}

absl::Status RunStore::WriteRow(const Row& row) {
  return database_
      ->Query("UPDATE runs SET name = ?, state = ?, last_sequence = ?, run = ? WHERE number = ?",
              {row.run.name(),
               std::int64_t{row.run.state()},
               row.last_sequence,
               Blob{row.run.SerializeAsString()},
               row.number})
      .status();
}

absl::Status RunStore::WriteEvents(Row& row, std::vector<RunEvent> events) {
  for (RunEvent& event : events) {
    if (event.has_epoch() && event.epoch().epoch() <= row.run.epochs_done()) {
      continue;
    }
    if (event.has_epoch()) {
      row.run.set_epochs_done(event.epoch().epoch());
    }
    RETURN_IF_ERROR(WriteEvent(row, std::move(event)));
  }
  return absl::OkStatus();
}

absl::Status RunStore::WriteEvent(Row& row, RunEvent event) {
  event.set_sequence(++row.last_sequence);
  *event.mutable_time() = TimestampOf(clock_);
  return database_
      ->Query("INSERT INTO events (run, sequence, event) VALUES (?, ?, ?)",
              {row.number, row.last_sequence, Blob{event.SerializeAsString()}})
      .status();
}

void RunStore::Listen(const std::string& name, const std::weak_ptr<RunListener>& listener) {
  const std::lock_guard lock(mutex_);
  // Those that are gone go out with the next one that comes.
  for (auto entry = listeners_.begin(); entry != listeners_.end();) {
    entry = entry->second.expired() ? listeners_.erase(entry) : std::next(entry);
  }
  listeners_.emplace(name, listener);
}

void RunStore::Notify(const std::string& name) {
  std::vector<std::shared_ptr<RunListener>> alive;
  {
    const std::lock_guard lock(mutex_);
    const auto [first, last] = listeners_.equal_range(name);
    for (auto entry = first; entry != last; ++entry) {
      if (std::shared_ptr<RunListener> listener = entry->second.lock()) {
        alive.push_back(std::move(listener));
      }
    }
  }
  for (const auto& listener : alive) {
    listener->RunChanged();
  }
}

}  // namespace millrace::training
