// TensorFlow writes lines to stderr that a user can do nothing with, some of them whatever TF_CPP_MIN_LOG_LEVEL says.
// Linked into each addon, this lets the variable rule them all, from the moment that the addon is loaded.

#if __has_include("absl/log/globals.h")

#include <cstdlib>

#include "absl/base/log_severity.h"
#include "absl/log/globals.h"

namespace {

struct QuietStart {
  QuietStart() {
    const char* level = std::getenv("TF_CPP_MIN_LOG_LEVEL");
    if (level != nullptr) absl::SetMinLogLevel(static_cast<absl::LogSeverityAtLeast>(std::atoi(level)));
  }
} quiet_start;

}  // namespace

#endif
