#include "services/data/rpc/read_call.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "common/features/row_groups.h"
#include "common/features/transformer.h"
#include "common/resource/name.h"
#include "common/status/status.h"
#include "services/data/read/example_reader.h"
#include "services/data/rpc/read_stream.h"

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

absl::StatusOr<std::shared_ptr<const Examples>> Load(const ReadParts& parts,
                                                     const VersionedName& name) {
  ASSIGN_OR_RETURN(const auto rows, parts.store.OpenRows(name));
  ASSIGN_OR_RETURN(const std::int64_t bytes, EstimateBytes(*rows));
  ASSIGN_OR_RETURN(ReadBudget::Share share, TakeShare(parts, bytes));
  ASSIGN_OR_RETURN(VersionContent content, parts.store.Load(name));
  ASSIGN_OR_RETURN(features::Transformer transformer,
                   features::Transformer::Create(std::move(content.transforms)));
  auto examples = std::make_shared<Examples>(
      Examples{.table = std::move(content.table),
               .transformer = std::move(transformer),
               .train = RowsWith(content.marks, schema::v1::SPLIT_TRAIN),
               .validation = RowsWith(content.marks, schema::v1::SPLIT_VALIDATION),
               .test = RowsWith(content.marks, schema::v1::SPLIT_TEST),
               .share = std::move(share)});
  examples->share.Resize(SizeBytes(*examples));
  return examples;
}

absl::StatusOr<ExampleReader> Open(const ReadParts& parts, const v1::ReadExamplesRequest& request) {
  ASSIGN_OR_RETURN(VersionedName name, ParseVersionedName("datasets", "name", request.name()));
  ASSIGN_OR_RETURN(name.sha256, parts.store.Resolve(name));
  ASSIGN_OR_RETURN(std::shared_ptr<const Examples> examples,
                   parts.cache.Get(name.sha256, [&] { return Load(parts, name); }));
  ASSIGN_OR_RETURN(ExampleReader reader, ExampleReader::Create(std::move(examples), request));
  ASSIGN_OR_RETURN(ReadBudget::Share share, TakeShare(parts, reader.own_bytes()));
  reader.Keep(std::move(share));
  return reader;
}

}  // namespace

absl::StatusOr<ReadBudget::Share> TakeShare(const ReadParts& parts, std::int64_t bytes) {
  absl::StatusOr<ReadBudget::Share> share = parts.budget.Take(bytes);
  if (!share.ok()) {
    parts.cache.Clear();
    share = parts.budget.Take(bytes);
  }
  return share;
}

grpc::ServerWriteReactor<v1::ReadExamplesResponse>* StartReadExamples(
    const ReadParts& parts,
    const v1::ReadExamplesRequest& request) {
  return new ReadStream<v1::ReadExamplesResponse, ExampleReader>(
      parts.pool, parts.quiet.Begin(), [&parts, &request] { return Open(parts, request); });
}

}  // namespace millrace::data
