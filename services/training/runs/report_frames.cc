#include "services/training/runs/report_frames.h"

#include <cstdint>

#include <google/protobuf/io/coded_stream.h>

#include "common/status/status.h"

namespace millrace::training {

namespace {

constexpr std::size_t kVarint32BytesMax = 5;

struct Frame {
  std::size_t header = 0;  // bytes of the size; 0: not all are there
  std::size_t size = 0;    // bytes of the message
};

Frame FrameAt(std::string_view bytes) {
  const auto* const data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  google::protobuf::io::CodedInputStream stream(data, static_cast<int>(bytes.size()));
  std::uint32_t size = 0;
  if (!stream.ReadVarint32(&size)) {
    return {};
  }
  return {.header = static_cast<std::size_t>(stream.CurrentPosition()), .size = size};
}

}  // namespace

absl::StatusOr<std::vector<v1::WorkerReport>> ReportFrames::Take(std::string_view bytes) {
  buffer_ += bytes;
  std::vector<v1::WorkerReport> reports;
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    const Frame frame = FrameAt(rest.substr(0, kVarint32BytesMax));
    if (frame.size > kReportBytesMax || (frame.header == 0 && rest.size() >= kVarint32BytesMax)) {
      return DataLoss("the worker's output is no report: its size would be {}", frame.size);
    }
    if (frame.header == 0 || rest.size() < frame.header + frame.size) {
      break;
    }
    v1::WorkerReport& report = reports.emplace_back();
    if (!report.ParseFromArray(rest.data() + frame.header, static_cast<int>(frame.size)) ||
        report.kind_case() == v1::WorkerReport::KIND_NOT_SET) {
      return DataLoss("the worker's output is no report");
    }
    rest.remove_prefix(frame.header + frame.size);
  }
  buffer_.erase(0, buffer_.size() - rest.size());
  return reports;
}

}  // namespace millrace::training
