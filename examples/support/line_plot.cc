#include "examples/support/line_plot.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"

namespace staticflow {
namespace {

// Colours that colour-blind readers can tell apart too (Okabe and Ito), blue and orange first.
constexpr const char* kColors[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"};
constexpr const char* kInk = "#333333";
constexpr const char* kGrid = "#e3e3e3";

std::string Escaped(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

// The step 1, 2 or 5 times a power of ten that cuts `range` into at most `most` parts.
double NiceStep(double range, int most) {
  const double power = std::pow(10, std::floor(std::log10(range / most)));
  for (double factor : {1, 2, 5}) {
    if (range / (factor * power) <= most) return factor * power;
  }
  return 10 * power;
}

// 50000 is "50,000".
std::string Thousands(double value) {
  std::string text = absl::StrFormat("%.10g", value);
  if (text.find_first_not_of("0123456789") != std::string::npos) return text;
  for (int i = static_cast<int>(text.size()) - 3; i > 0; i -= 3) text.insert(static_cast<size_t>(i), ",");
  return text;
}

std::string Text(double x, double y, const char* anchor, const char* style, absl::string_view text) {
  return absl::StrFormat("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" %s>%s</text>\n", x, y, anchor, style,
                         Escaped(text));
}

std::string Line(double x1, double y1, double x2, double y2, const char* color, const char* style = "") {
  return absl::StrFormat("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" %s/>\n", x1, y1, x2, y2,
                         color, style);
}

}  // namespace

// The rectangle of the axes, and what its sides stand for.
struct LinePlot::Frame {
  double left, right, top, bottom;
  double x_min, x_max, x_tick, y_min, y_max;
  double X(double x) const { return left + (x - x_min) / (x_max - x_min) * (right - left); }
  double Y(double y) const { return bottom - (y - y_min) / (y_max - y_min) * (bottom - top); }
};

void LinePlot::Add(std::string name, std::vector<std::pair<double, double>> points) {
  curves_.push_back({std::move(name), std::move(points)});
}

std::string LinePlot::Grid(const Frame& frame) const {
  std::string svg;
  const int columns = static_cast<int>(std::floor((frame.x_max - frame.x_min) / frame.x_tick + 1e-9));
  for (int i = 0; i <= columns; ++i) {
    const double value = frame.x_min + i * frame.x_tick, x = frame.X(value);
    svg += Line(x, frame.top, x, frame.bottom, kGrid);
    svg += Text(x, frame.bottom + 20, "middle", "class=\"tick\"", Thousands(value));
  }
  const int rows = static_cast<int>(std::round((frame.y_max - frame.y_min) / options_.y_tick));
  for (int i = 0; i <= rows; ++i) {
    const double value = frame.y_min + i * options_.y_tick, y = frame.Y(value);
    svg += Line(frame.left, y, frame.right, y, kGrid);
    svg += Text(frame.left - 10, y + 4, "end", "class=\"tick\"", absl::StrFormat("%.1f", value));
  }
  svg += absl::StrFormat("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"none\" stroke=\"%s\"/>\n",
                         frame.left, frame.top, frame.right - frame.left, frame.bottom - frame.top, kInk);
  return svg;
}

std::string LinePlot::Curves(const Frame& frame) const {
  std::string svg;
  for (size_t i = 0; i < curves_.size(); ++i) {
    std::string path;
    bool drawing = false;
    for (const auto& [x, y] : curves_[i].points) {
      const bool finite = std::isfinite(x) && std::isfinite(y);
      if (finite) absl::StrAppendFormat(&path, "%s%.2f %.2f", drawing ? " L" : " M", frame.X(x), frame.Y(y));
      drawing = finite;
    }
    absl::StrAppendFormat(&svg,
                          "<path d=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\" stroke-linejoin=\"round\" "
                          "stroke-linecap=\"round\"/>\n",
                          path.empty() ? path : path.substr(1), kColors[i % std::size(kColors)]);
  }
  return svg;
}

std::string LinePlot::Legend(const Frame& frame) const {
  if (curves_.empty()) return "";
  size_t longest = 0;
  for (const Curve& curve : curves_) longest = std::max(longest, curve.name.size());
  const double width = 60 + 7.4 * static_cast<double>(longest), height = 14 + 22 * static_cast<double>(curves_.size());
  const double x = frame.right - width - 12, y = frame.bottom - height - 12;
  std::string svg = absl::StrFormat(
      "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"4\" fill=\"#ffffff\" fill-opacity=\"0.9\" "
      "stroke=\"#bbbbbb\"/>\n",
      x, y, width, height);
  for (size_t i = 0; i < curves_.size(); ++i) {
    const double row = y + 18 + 22 * static_cast<double>(i);
    svg += Line(x + 12, row, x + 42, row, kColors[i % std::size(kColors)], "stroke-width=\"3\" ");
    svg += Text(x + 50, row + 4.5, "start", "class=\"legend\"", curves_[i].name);
  }
  return svg;
}

std::string LinePlot::Svg() const {
  double x_max = 0;
  for (const Curve& curve : curves_) {
    for (const auto& [x, y] : curve.points) x_max = std::max(x_max, std::isfinite(x) ? x : 0);
  }
  if (x_max <= 0) x_max = 1;
  const double x_tick = NiceStep(x_max, 10);
  const Frame frame = {.left = 72,
                       .right = options_.width - 28.0,
                       .top = options_.subtitle.empty() ? 50.0 : 70.0,
                       .bottom = options_.height - 64.0,
                       .x_min = 0,
                       .x_max = std::ceil(x_max / x_tick - 1e-9) * x_tick,
                       .x_tick = x_tick,
                       .y_min = options_.y_min,
                       .y_max = options_.y_max};
  const double middle = (frame.left + frame.right) / 2, center = (frame.top + frame.bottom) / 2;
  std::string svg = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
      "font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\" fill=\"%s\">\n"
      "<style>.tick{font-size:12px}.axis{font-size:14px}.legend{font-size:13px}"
      ".title{font-size:18px;font-weight:bold}.subtitle{font-size:13px;fill:#666666}</style>\n"
      "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n",
      options_.width, options_.height, options_.width, options_.height, kInk, options_.width, options_.height);
  svg += Text(middle, 30, "middle", "class=\"title\"", options_.title);
  if (!options_.subtitle.empty()) svg += Text(middle, 52, "middle", "class=\"subtitle\"", options_.subtitle);
  svg += Grid(frame);
  svg +=
      absl::StrFormat("<clipPath id=\"axes\"><rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/></clipPath>\n",
                      frame.left, frame.top - 2, frame.right - frame.left, frame.bottom - frame.top + 4);
  absl::StrAppend(&svg, "<g clip-path=\"url(#axes)\">\n", Curves(frame), "</g>\n", Legend(frame));
  svg += Text(middle, options_.height - 18, "middle", "class=\"axis\"", options_.x_label);
  const std::string turned = absl::StrFormat("class=\"axis\" transform=\"rotate(-90 22 %.1f)\"", center);
  svg += Text(22, center, "middle", turned.c_str(), options_.y_label);
  return svg + "</svg>\n";
}

}  // namespace staticflow
