// ReadCall: one ReadExamples call.

#pragma once

#include <atomic>
#include <optional>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include "millrace/data/v1/data_service.pb.h"

#include "common/rpc/pool.h"
#include "services/data/read/example_reader.h"
#include "services/data/read/examples_cache.h"
#include "services/data/store/dataset_store.h"

namespace millrace::data {

/// What reading works with. Owns nothing.
struct ReadParts {
  DatasetStore& store;
  ExamplesCache& cache;
  rpc::Pool& disk;  // loads versions and encodes messages
};

/// Encodes a message on the pool, writes it, and encodes the next only when it is written: a slow
/// reader holds one message. Deletes itself when the call is done.
class ReadCall final : public grpc::ServerWriteReactor<v1::ReadExamplesResponse> {
 public:
  /// Does not own `parts` and `request`, which outlive the call.
  ReadCall(const ReadParts& parts, const v1::ReadExamplesRequest& request);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  void Step();
  absl::StatusOr<bool> Encode();
  absl::Status Open();

  const ReadParts& parts_;
  const v1::ReadExamplesRequest& request_;
  std::atomic<bool> cancelled_{false};
  std::optional<ExampleReader> reader_;
  v1::ReadExamplesResponse response_;
};

}  // namespace millrace::data
