// The whole lesson as one report: all comparisons with its figures beside ours, its two tests, and what it only
// mentions (other ways to write batch normalization, its place, convolutions, recurrence, forgotten updates).
//
//   SF_ASSIGN_OR_RETURN(Report report, MakeLessonReport(data, {.batches_scale = 0.01}));
//   SF_RETURN_IF_ERROR(report.Write(PosixEnv(), "out/batch_norm_lesson"));
#ifndef STATICFLOW_EXAMPLES_SUPPORT_LESSON_REPORT_H_
#define STATICFLOW_EXAMPLES_SUPPORT_LESSON_REPORT_H_

#include "examples/support/neural_net.h"
#include "runtime/io/report.h"

namespace staticflow {

struct LessonReportOptions {
  double batches_scale = 1;  // trains for this share of the lesson's batches, and samples as much more often
  int64_t seed = 1;          // the second run of a setting takes the next one
  int threads = 0;
};

// Trains some fifty networks, printing their progress. But for the speeds the report is a function of the data, the
// scale and the seed.
absl::StatusOr<Report> MakeLessonReport(const LessonData& data, const LessonReportOptions& options);

}  // namespace staticflow

#endif  // STATICFLOW_EXAMPLES_SUPPORT_LESSON_REPORT_H_
