#include "services/data/rpc/read_call.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "common/features/row_groups.h"
#include "common/features/transformer.h"
#include "common/resource/name.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"

namespace millrace::data {

namespace {

std::vector<std::int64_t> RowsWith(const features::RowMarks& marks, schema::v1::Split split) {
  std::vector<std::int64_t> rows;
  for (std::size_t row = 0; row < marks.size(); ++row) {
    if (marks[row] == static_cast<std::uint8_t>(split)) {
      rows.push_back(static_cast<std::int64_t>(row));
    }
  }
  return rows;
}

absl::StatusOr<std::shared_ptr<const Examples>> Load(DatasetStore& store,
                                                     const VersionedName& name) {
  ASSIGN_OR_RETURN(VersionContent content, store.Load(name));
  ASSIGN_OR_RETURN(features::Transformer transformer,
                   features::Transformer::Create(std::move(content.transforms)));
  return std::make_shared<const Examples>(
      Examples{.table = std::move(content.table),
               .transformer = std::move(transformer),
               .train = RowsWith(content.marks, schema::v1::SPLIT_TRAIN),
               .validation = RowsWith(content.marks, schema::v1::SPLIT_VALIDATION),
               .test = RowsWith(content.marks, schema::v1::SPLIT_TEST)});
}

}  // namespace

ReadCall::ReadCall(const ReadParts& parts, const v1::ReadExamplesRequest& request)
    : parts_(parts),
      request_(request) {
  Step();
}

void ReadCall::OnWriteDone(bool ok) {
  if (ok) {
    Step();
  } else {
    Finish(ToGrpcStatus(Cancelled("the reader has gone")));
  }
}

void ReadCall::OnCancel() {
  cancelled_ = true;
}

void ReadCall::OnDone() {
  delete this;
}

void ReadCall::Step() {
  const absl::Status submitted = parts_.disk.Submit([this] {
    const absl::StatusOr<bool> more = Encode();
    if (more.ok() && *more) {
      StartWrite(&response_);  // last: the write may be done before this returns
    } else {
      Finish(ToGrpcStatus(more.status()));
    }
  });
  if (!submitted.ok()) {
    Finish(ToGrpcStatus(submitted));
  }
}

absl::StatusOr<bool> ReadCall::Encode() {
  if (cancelled_) {
    return Cancelled("the reader has cancelled");
  }
  if (!reader_.has_value()) {
    RETURN_IF_ERROR(Open());
  }
  return reader_->Next(response_);
}

absl::Status ReadCall::Open() {
  ASSIGN_OR_RETURN(VersionedName name, ParseVersionedName("datasets", "name", request_.name()));
  ASSIGN_OR_RETURN(name.sha256, parts_.store.Resolve(name));
  ASSIGN_OR_RETURN(std::shared_ptr<const Examples> examples,
                   parts_.cache.Get(name.sha256, [&] { return Load(parts_.store, name); }));
  ASSIGN_OR_RETURN(reader_, ExampleReader::Create(std::move(examples), request_));
  return absl::OkStatus();
}

}  // namespace millrace::data
