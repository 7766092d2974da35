#include "services/training/runs/run_state.h"

#include "common/status/status.h"

namespace millrace::training {

namespace {

using v1::Run;

bool IsLegal(Run::State from, Run::State to) {
  switch (from) {
    case Run::STATE_UNSPECIFIED:
      return to == Run::STATE_QUEUED;
    case Run::STATE_QUEUED:
      return to == Run::STATE_RUNNING || to == Run::STATE_CANCELLED;
    case Run::STATE_RUNNING:
      return to == Run::STATE_WAITING || to == Run::STATE_CANCELLING ||
             to == Run::STATE_PUBLISHING || to == Run::STATE_UNPUBLISHED || to == Run::STATE_FAILED;
    case Run::STATE_WAITING:
      return to == Run::STATE_WAITING || to == Run::STATE_RUNNING || to == Run::STATE_CANCELLING ||
             to == Run::STATE_FAILED;
    case Run::STATE_CANCELLING:
      return to == Run::STATE_CANCELLED;
    case Run::STATE_PUBLISHING:
      return to == Run::STATE_PUBLISHING || to == Run::STATE_SUCCEEDED ||
             to == Run::STATE_UNPUBLISHED;
    case Run::STATE_UNPUBLISHED:
      return to == Run::STATE_PUBLISHING;
    default:
      return false;
  }
}

}  // namespace

bool IsTerminal(Run::State state) {
  return state == Run::STATE_SUCCEEDED || state == Run::STATE_FAILED ||
         state == Run::STATE_CANCELLED;
}

bool IsAtRest(Run::State state) {
  return IsTerminal(state) || state == Run::STATE_UNPUBLISHED;
}

std::string_view StateName(Run::State state) {
  switch (state) {
    case Run::STATE_QUEUED:
      return "queued";
    case Run::STATE_RUNNING:
      return "running";
    case Run::STATE_CANCELLING:
      return "cancelling";
    case Run::STATE_SUCCEEDED:
      return "succeeded";
    case Run::STATE_FAILED:
      return "failed";
    case Run::STATE_CANCELLED:
      return "cancelled";
    case Run::STATE_WAITING:
      return "waiting";
    case Run::STATE_PUBLISHING:
      return "publishing";
    case Run::STATE_UNPUBLISHED:
      return "unpublished";
    default:
      return "new";
  }
}

absl::Status MoveTo(Run::State to, Run& run) {
  if (!IsLegal(run.state(), to)) {
    return FailedPrecondition(
        "{} is {} and cannot become {}", run.name(), StateName(run.state()), StateName(to));
  }
  run.set_state(to);
  return absl::OkStatus();
}

}  // namespace millrace::training
