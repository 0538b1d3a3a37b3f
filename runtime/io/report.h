// Report: what an experiment found, as one HTML page and as plain text.
//
//   Report report("Batch normalization, the lesson");
//   report.Paragraph("Each pair of networks starts from the same weights.");
//   report.Heading("Accuracy");
//   report.Table({.caption = "After 50,000 batches", .header = {"network", "accuracy"}, .rows = {{"with", ".9832"}}});
//   report.Plot(plot);
//   SF_RETURN_IF_ERROR(report.Write(PosixEnv(), "out/lesson"));        // out/lesson.html and out/lesson.txt
//
// The page needs no other file and no network; it reads on a phone (wide tables scroll by themselves) and on a dark
// screen. All text is escaped: what is given is what the reader sees. The same calls give the same bytes.
//
// Not thread-safe.
#ifndef STATICFLOW_RUNTIME_IO_REPORT_H_
#define STATICFLOW_RUNTIME_IO_REPORT_H_

#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "runtime/io/env.h"
#include "runtime/io/line_plot.h"

namespace staticflow {

// Rows may be shorter than the header. A column whose cells are all numbers, or empty, stands to the right.
struct ReportTable {
  std::string caption = "";
  std::vector<std::string> header = {};
  std::vector<std::vector<std::string>> rows = {};
};

class Report {
 public:
  explicit Report(std::string title) : title_(std::move(title)) {}

  void Heading(std::string text);
  void Paragraph(std::string text);
  // Lines as they are, such as a command or what a program printed.
  void Preformatted(std::string text);
  void Table(ReportTable table);
  // Plots that follow each other stand side by side where the page is wide enough; 520 x 380 pixels fit two. The text
  // gives each curve's first, highest and last value.
  void Plot(LinePlot plot);

  std::string Html() const;
  std::string Text() const;
  // `path`.html and `path`.txt, each power-safe (ReplaceFile).
  absl::Status Write(Env* env, const std::string& path) const;

 private:
  struct Line {
    enum Kind { kHeading, kParagraph, kPreformatted } kind;
    std::string text;
  };
  std::string title_;
  std::vector<std::variant<Line, ReportTable, LinePlot>> blocks_;
};

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_IO_REPORT_H_
