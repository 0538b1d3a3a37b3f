// LinePlot: curves over a common axis, as an SVG picture that needs nothing else.
//
//   LinePlot plot({.title = "Validation Accuracy During Training", .x_label = "Training steps", .y_label = "Accuracy",
//                  .y_max = 1, .y_tick = 0.1});
//   plot.Add("With Batch Norm", {{0, 0.1}, {500, 0.95}});
//   SF_RETURN_IF_ERROR(ReplaceFile(env, "plot.svg", plot.Svg()));
//
// Values that are not finite leave a gap. The same curves give the same bytes. Colours follow the reader's choice of a
// light or a dark page. runtime/io/report.h puts plots into a page.
#ifndef STATICFLOW_RUNTIME_IO_LINE_PLOT_H_
#define STATICFLOW_RUNTIME_IO_LINE_PLOT_H_

#include <string>
#include <utility>
#include <vector>

namespace staticflow {

struct LinePlotOptions {
  std::string title = "";
  std::string subtitle = "";
  std::string x_label = "";
  std::string y_label = "";
  double y_min = 0;
  double y_max = 1;
  double y_tick = 0.1;
  int width = 860;  // pixels
  int height = 540;
};

class LinePlot {
 public:
  struct Curve {
    std::string name;
    std::vector<std::pair<double, double>> points;
  };

  explicit LinePlot(LinePlotOptions options) : options_(std::move(options)) {}
  // A curve through the points, in their order.
  void Add(std::string name, std::vector<std::pair<double, double>> points);

  // A file of its own.
  std::string Svg() const;
  // The <svg> element alone, for an HTML page whose style sheet includes StyleSheet().
  std::string SvgElement() const;
  static std::string StyleSheet();

  const LinePlotOptions& options() const { return options_; }
  const std::vector<Curve>& curves() const { return curves_; }

 private:
  struct Frame;
  std::string Element(const std::string& style) const;
  std::string Grid(const Frame& frame) const;
  std::string Curves(const Frame& frame) const;
  std::string Legend(const Frame& frame) const;

  LinePlotOptions options_;
  std::vector<Curve> curves_;
};

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_IO_LINE_PLOT_H_
