// Summaries: values of a step as serialized Summary messages, for event files.
//
//   ScalarSummary(g, "loss", loss);                       // joins the collection summaries
//   Output all = MergeAllSummaries(g);                    // fetch this and hand it to an event writer
//
// Not thread-safe: all of them add to the graph. Source: tf.summary (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_SUMMARY_H_
#define STATICFLOW_OPS_SUMMARY_H_

#include <string>

#include "absl/types/span.h"
#include "graph/node_builder.h"

namespace staticflow {

struct SummaryOptions {
  std::string collection = "summaries";  // "": none
  std::string name = "";                 // the tag's last part
};
// One number; any real type.
Output ScalarSummary(const std::string& tag, Operand value, const SummaryOptions& options = {});
// How values are distributed. When run: InvalidArgument for NaN and infinity.
Output HistogramSummary(const std::string& tag, Operand values, const SummaryOptions& options = {});
struct ImageSummaryOptions {
  int64_t max_images = 3;                // the first ones; their tags are tag/image/0, ... (of one: tag/image)
  std::string collection = "summaries";  // "": none
  std::string name = "";                 // of the scope; "": the tag
};
// Pictures [batch, height, width, 1, 3 or 4 channels], uint8 or half, float or double, which are scaled to their range.
Output ImageSummary(const std::string& tag, Operand tensor, const ImageSummaryOptions& options = {});
// Sounds [batch, frames] or [batch, frames, channels], floats from -1 to 1, as WAV files of 16 bits. sample_rate: a
// float scalar, in frames per second.
Output AudioSummary(const std::string& tag, Operand tensor, Operand sample_rate, int64_t max_outputs = 3,
                    const SummaryOptions& options = {});
// All values of several summaries. When run: InvalidArgument if two have one tag.
Output MergeSummary(absl::Span<const Output> summaries, const OpOptions& options = {});
// The same of the graph's collection; invalid when that is empty.
Output MergeAllSummaries(Graph& g, const std::string& collection = "summaries");

}  // namespace staticflow

#endif  // STATICFLOW_OPS_SUMMARY_H_
