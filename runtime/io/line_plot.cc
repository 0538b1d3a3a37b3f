#include "runtime/io/line_plot.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"

namespace staticflow {
namespace {

constexpr size_t kColors = 6;
// Colours that colour-blind readers can tell apart too (Okabe and Ito), blue and orange first; lighter on a dark page.
constexpr char kStyleSheet[] =
    ".sf-plot{font-family:Helvetica,Arial,'DejaVu Sans',sans-serif}"
    ".sf-plot text{fill:#333333}.sf-plot .page{fill:#ffffff}.sf-plot .grid{stroke:#e3e3e3}"
    ".sf-plot .frame{fill:none;stroke:#333333}"
    ".sf-plot .box{fill:#ffffff;fill-opacity:0.7;stroke:#bbbbbb}"
    ".sf-plot .tick{font-size:12px}.sf-plot .axis{font-size:14px}.sf-plot .legend{font-size:13px}"
    ".sf-plot .title{font-size:18px;font-weight:bold}.sf-plot .subtitle{font-size:13px;fill:#666666}"
    ".sf-plot .curve{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}"
    ".sf-plot .c0{stroke:#0072b2}.sf-plot .c1{stroke:#d55e00}.sf-plot .c2{stroke:#009e73}"
    ".sf-plot .c3{stroke:#cc79a7}.sf-plot .c4{stroke:#e69f00}.sf-plot .c5{stroke:#56b4e9}"
    "@media (prefers-color-scheme:dark){"
    ".sf-plot text{fill:#d8d8d8}.sf-plot .page{fill:#16181c}.sf-plot .grid{stroke:#33373d}"
    ".sf-plot .frame{stroke:#9a9a9a}.sf-plot .box{fill:#16181c;stroke:#555a61}.sf-plot .subtitle{fill:#a0a0a0}"
    ".sf-plot .c0{stroke:#4fa8e0}.sf-plot .c1{stroke:#ff8a3c}.sf-plot .c2{stroke:#2fc79b}}\n";

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

// As many decimals as a tick of this size needs, at least one.
int Decimals(double tick) { return std::max(1, static_cast<int>(std::ceil(-std::log10(tick) - 1e-9))); }

std::string Text(double x, double y, const char* anchor, const char* attributes, absl::string_view text) {
  return absl::StrFormat("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" %s>%s</text>\n", x, y, anchor, attributes,
                         Escaped(text));
}

std::string Line(double x1, double y1, double x2, double y2, const char* attributes) {
  return absl::StrFormat("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" %s/>\n", x1, y1, x2, y2, attributes);
}

std::string Rect(const char* name, double x, double y, double width, double height) {
  return absl::StrFormat("<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n", name, x, y,
                         width, height);
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
    svg += Line(x, frame.top, x, frame.bottom, "class=\"grid\"");
    svg += Text(x, frame.bottom + 20, "middle", "class=\"tick\"", Thousands(value));
  }
  const int rows = static_cast<int>(std::round((frame.y_max - frame.y_min) / options_.y_tick));
  for (int i = 0; i <= rows; ++i) {
    const double value = frame.y_min + i * options_.y_tick, y = frame.Y(value);
    svg += Line(frame.left, y, frame.right, y, "class=\"grid\"");
    svg += Text(frame.left - 10, y + 4, "end", "class=\"tick\"",
                absl::StrFormat("%.*f", Decimals(options_.y_tick), value));
  }
  return svg + Rect("frame", frame.left, frame.top, frame.right - frame.left, frame.bottom - frame.top);
}

std::string LinePlot::Curves(const Frame& frame) const {
  std::string svg;
  for (size_t i = 0; i < curves_.size(); ++i) {
    std::string path;
    bool drawing = false;
    for (const auto& [x, y] : curves_[i].points) {
      const bool finite = std::isfinite(x) && std::isfinite(y);
      if (finite) absl::StrAppendFormat(&path, "%s%.1f %.1f", drawing ? "L" : "M", frame.X(x), frame.Y(y));
      drawing = finite;
    }
    absl::StrAppendFormat(&svg, "<path class=\"curve c%d\" d=\"%s\"/>\n", i % kColors, path);
  }
  // An <svg> shows nothing beyond its sides: a curve that leaves the axes is cut there.
  const double width = frame.right - frame.left, height = frame.bottom - frame.top + 4;
  return absl::StrFormat(
      "<svg x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" viewBox=\"%.1f %.1f %.1f %.1f\">\n%s</svg>\n",
      frame.left, frame.top - 2, width, height, frame.left, frame.top - 2, width, height, svg);
}

std::string LinePlot::Legend(const Frame& frame) const {
  if (curves_.empty()) return "";
  size_t longest = 0;
  for (const Curve& curve : curves_) longest = std::max(longest, curve.name.size());
  const double width = 60 + 7.4 * static_cast<double>(longest), height = 14 + 22 * static_cast<double>(curves_.size());
  const double x = frame.right - width - 12, y = frame.bottom - height - 12;
  std::string svg = Rect("box", x, y, width, height);
  for (size_t i = 0; i < curves_.size(); ++i) {
    const double row = y + 18 + 22 * static_cast<double>(i);
    svg += Line(x + 12, row, x + 42, row, absl::StrFormat("class=\"curve c%d\"", i % kColors).c_str());
    svg += Text(x + 50, row + 4.5, "start", "class=\"legend\"", curves_[i].name);
  }
  return svg;
}

std::string LinePlot::Element(const std::string& style) const {
  double x_max = 0;
  for (const Curve& curve : curves_) {
    for (const auto& [x, y] : curve.points) x_max = std::max(x_max, std::isfinite(x) ? x : 0);
  }
  if (x_max <= 0) x_max = 1;
  const double x_tick = NiceStep(x_max, std::max(2, options_.width / 86));
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
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"sf-plot\" width=\"%d\" height=\"%d\" "
      "viewBox=\"0 0 %d %d\" role=\"img\">\n%s",
      options_.width, options_.height, options_.width, options_.height, style);
  svg += Rect("page", 0, 0, options_.width, options_.height);
  svg += Text(middle, 30, "middle", "class=\"title\"", options_.title);
  if (!options_.subtitle.empty()) svg += Text(middle, 52, "middle", "class=\"subtitle\"", options_.subtitle);
  absl::StrAppend(&svg, Grid(frame), Curves(frame), Legend(frame));
  svg += Text(middle, options_.height - 18, "middle", "class=\"axis\"", options_.x_label);
  const std::string turned = absl::StrFormat("class=\"axis\" transform=\"rotate(-90 22 %.1f)\"", center);
  svg += Text(22, center, "middle", turned.c_str(), options_.y_label);
  return svg + "</svg>\n";
}

std::string LinePlot::StyleSheet() { return kStyleSheet; }
std::string LinePlot::SvgElement() const { return Element(""); }
std::string LinePlot::Svg() const { return Element(absl::StrCat("<style>", kStyleSheet, "</style>\n")); }

}  // namespace staticflow
