// ImportCall: one ImportDataset call, from its header to its version.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include "millrace/data/v1/data_service.pb.h"

#include "common/memory/quiet_timer.h"
#include "common/rpc/pool.h"
#include "common/storage/file_system.h"
#include "common/transfer/idle_watch.h"
#include "common/transfer/upload_store.h"
#include "services/data/import/import.h"
#include "services/data/import/staged_file.h"
#include "services/data/pipeline/pipeline.h"
#include "services/data/rpc/import_metrics.h"
#include "services/data/rpc/import_slots.h"
#include "services/data/store/dataset_store.h"

namespace millrace::data {

/// Makes an upload into what a version is made of; RunPipeline(), or a fault in tests.
using Pipeline = std::function<absl::StatusOr<ImportResult>(const v1::ImportHeader&,
                                                            const StagedFile&,
                                                            const ImportMeans&,
                                                            const std::stop_token&)>;

/// What imports work with. Owns nothing but the values.
struct ImportParts {
  storage::FileSystem& files;
  DatasetStore& store;
  rpc::Pool& disk;     // writes chunks
  rpc::Pool& imports;  // runs pipelines; its queue takes as many as there are slots
  ImportSlots& slots;
  transfer::UploadStore& uploads;
  transfer::IdleWatch& idle;
  std::string scratch_folder;  // prepared with storage::PrepareFolder(); may be that of the uploads
  Pipeline pipeline;
  int threads = 0;  // of one import; 0: one a core, at most 8
  ImportLimits limits = {};
  std::size_t answer_bytes_max = std::size_t{4} << 20U;  // a version's description is sent in one
  std::shared_ptr<ImportMetrics> metrics = std::make_shared<ImportMetrics>();
};

/// Takes messages one at a time: the next is read only when the one before is on disk, which is how
/// a fast client is held back. Whatever ends the call, the file of an unnamed upload is gone before
/// the client hears of it; a named one stays where it may go on (transfer::UploadStore). Deletes
/// itself when the call is done.
class ImportCall final : public grpc::ServerReadReactor<v1::ImportDatasetRequest> {
 public:
  /// Is `busy` until it is gone. Does not own the rest, which outlives the call.
  ImportCall(const ImportParts& parts,
             QuietTimer::Busy busy,
             const grpc::CallbackServerContext& context,
             v1::DatasetVersion& response);

  void OnReadDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  void Read();
  void OnDisk(std::function<void()> step);

  // Runs on a pool: nothing below waits in a reactor.
  void Take();
  absl::Status TakePart();
  absl::Status TakeHeader();
  absl::Status TakeClose();
  absl::StatusOr<v1::DatasetVersion> Import();
  void End(const absl::Status& status);

  const QuietTimer::Busy busy_;  // first: it ends when all below is freed
  const ImportParts& parts_;
  const grpc::CallbackServerContext& context_;
  v1::DatasetVersion& response_;
  std::stop_source stop_;
  v1::ImportDatasetRequest message_;
  ImportSlots::Slot slot_;
  v1::ImportHeader header_;
  std::string dataset_;  // empty until the header came
  std::unique_ptr<transfer::UploadStore::Incoming> upload_;
  std::string sha256_;                  // of the whole; empty until the close came
  transfer::IdleWatch::Stream stream_;  // last: it may end the call while the others live
};

}  // namespace millrace::data
