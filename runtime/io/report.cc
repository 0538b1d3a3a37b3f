#include "runtime/io/report.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "graph/status.h"

namespace staticflow {
namespace {

constexpr size_t kTextWidth = 100;

constexpr char kStyleSheet[] =
    ":root{color-scheme:light dark}"
    "body{font:16px/1.5 system-ui,Helvetica,Arial,sans-serif;color:#222;background:#fff;max-width:1100px;"
    "margin:0 auto;padding:1rem}"
    "h1{font-size:1.6rem;line-height:1.25}h2{font-size:1.25rem;margin-top:2.2rem}p{max-width:44rem}"
    "pre{overflow-x:auto;padding:.6rem .8rem;background:#f4f4f4;border-radius:4px;font-size:.85rem}"
    ".table{overflow-x:auto;margin:1rem 0}table{border-collapse:collapse;font-size:.85rem;"
    "font-variant-numeric:tabular-nums}caption{text-align:left;font-weight:bold;padding:.3rem 0}"
    "th,td{padding:.2rem .6rem;text-align:left;vertical-align:bottom;border-bottom:1px solid #e3e3e3}"
    "td{white-space:nowrap}td.n,th.n{text-align:right}thead th{border-bottom:2px solid #888}"
    ".plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:1rem;margin:1rem 0}"
    ".plots svg{width:100%;height:auto;max-width:860px}"
    "@media (prefers-color-scheme:dark){body{color:#d8d8d8;background:#16181c}pre{background:#22252a}"
    "th,td{border-color:#33373d}thead th{border-color:#777}}\n";

std::string Escaped(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

// "-1,234.5", ".97", "12 %" and "-", which stands for a number that there is not.
bool IsNumber(absl::string_view cell) {
  if (cell.empty() || cell == "-") return true;
  std::string digits = absl::StrReplaceAll(cell, {{",", ""}, {" %", ""}, {"%", ""}});
  double value;
  return absl::SimpleAtod(digits, &value);
}

size_t NumColumns(const ReportTable& table) {
  size_t columns = table.header.size();
  for (const std::vector<std::string>& row : table.rows) columns = std::max(columns, row.size());
  return columns;
}

std::string Cell(const std::vector<std::string>& row, size_t column) { return column < row.size() ? row[column] : ""; }

// For each column, whether it stands to the right.
std::vector<bool> Numeric(const ReportTable& table) {
  std::vector<bool> numeric(NumColumns(table), !table.rows.empty());
  for (const std::vector<std::string>& row : table.rows) {
    for (size_t c = 0; c < row.size(); ++c) numeric[c] = numeric[c] && IsNumber(row[c]);
  }
  return numeric;
}

std::string HtmlRow(const std::vector<std::string>& row, const std::vector<bool>& numeric, const char* tag) {
  std::string html = "<tr>";
  for (size_t c = 0; c < numeric.size(); ++c) {
    absl::StrAppend(&html, "<", tag, numeric[c] ? " class=\"n\">" : ">", Escaped(Cell(row, c)), "</", tag, ">");
  }
  return html + "</tr>\n";
}

std::string HtmlTable(const ReportTable& table) {
  const std::vector<bool> numeric = Numeric(table);
  std::string html = "<div class=\"table\"><table>\n";
  if (!table.caption.empty()) absl::StrAppend(&html, "<caption>", Escaped(table.caption), "</caption>\n");
  if (!table.header.empty()) absl::StrAppend(&html, "<thead>", HtmlRow(table.header, numeric, "th"), "</thead>\n");
  html += "<tbody>\n";
  for (const std::vector<std::string>& row : table.rows) html += HtmlRow(row, numeric, "td");
  return html + "</tbody></table></div>\n";
}

// Characters, not bytes.
size_t Width(absl::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string TextRow(const std::vector<std::string>& row, const std::vector<bool>& numeric,
                    const std::vector<size_t>& widths) {
  std::string text;
  for (size_t c = 0; c < widths.size(); ++c) {
    const std::string cell = Cell(row, c), space(widths[c] - Width(cell), ' ');
    absl::StrAppend(&text, c == 0 ? "" : "  ", numeric[c] ? space : "", cell, numeric[c] ? "" : space);
  }
  const size_t end = text.find_last_not_of(' ');
  return text.substr(0, end == std::string::npos ? 0 : end + 1) + "\n";
}

std::string TextTable(const ReportTable& table) {
  const std::vector<bool> numeric = Numeric(table);
  std::vector<size_t> widths(numeric.size(), 0);
  size_t total = 0;
  for (size_t c = 0; c < widths.size(); ++c) {
    widths[c] = Width(Cell(table.header, c));
    for (const std::vector<std::string>& row : table.rows) widths[c] = std::max(widths[c], Width(Cell(row, c)));
    total += widths[c] + (c == 0 ? 0 : 2);
  }
  std::string text = table.caption.empty() ? "" : table.caption + "\n\n";
  if (!table.header.empty())
    absl::StrAppend(&text, TextRow(table.header, numeric, widths), std::string(total, '-'), "\n");
  for (const std::vector<std::string>& row : table.rows) text += TextRow(row, numeric, widths);
  return text + "\n";
}

std::string Wrapped(absl::string_view paragraph) {
  std::string text;
  size_t column = 0;
  for (absl::string_view word : absl::StrSplit(paragraph, absl::ByAnyChar(" \n"), absl::SkipEmpty())) {
    const bool fits = column + 1 + Width(word) <= kTextWidth;
    if (column > 0) text += fits ? ' ' : '\n';
    column = column > 0 && fits ? column + 1 + Width(word) : Width(word);
    absl::StrAppend(&text, word);
  }
  return text + "\n\n";
}

std::string TextPlot(const LinePlot& plot) {
  const LinePlotOptions& options = plot.options();
  std::string text = absl::StrCat(options.title, options.subtitle.empty() ? "" : ": ", options.subtitle, "\n");
  for (const LinePlot::Curve& curve : plot.curves()) {
    std::vector<std::pair<double, double>> points;
    for (const auto& point : curve.points) {
      if (std::isfinite(point.first) && std::isfinite(point.second)) points.push_back(point);
    }
    absl::StrAppend(&text, "  ", curve.name, ": ");
    if (points.empty()) {
      text += "no values\n";
      continue;
    }
    const auto highest = *std::max_element(points.begin(), points.end(),
                                           [](const auto& a, const auto& b) { return a.second < b.second; });
    absl::StrAppendFormat(&text, "%.4f at %g, highest %.4f at %g, last %.4f at %g\n", points.front().second,
                          points.front().first, highest.second, highest.first, points.back().second,
                          points.back().first);
  }
  return text + "\n";
}

}  // namespace

void Report::Heading(std::string text) { blocks_.push_back(Line{Line::kHeading, std::move(text)}); }
void Report::Paragraph(std::string text) { blocks_.push_back(Line{Line::kParagraph, std::move(text)}); }
void Report::Preformatted(std::string text) { blocks_.push_back(Line{Line::kPreformatted, std::move(text)}); }
void Report::Table(ReportTable table) { blocks_.push_back(std::move(table)); }
void Report::Plot(LinePlot plot) { blocks_.push_back(std::move(plot)); }

std::string Report::Html() const {
  std::string html = absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
      Escaped(title_), "</title>\n<style>", kStyleSheet, LinePlot::StyleSheet(), "</style></head><body>\n<h1>",
      Escaped(title_), "</h1>\n");
  bool in_plots = false;
  for (const auto& block : blocks_) {
    const LinePlot* plot = std::get_if<LinePlot>(&block);
    if ((plot != nullptr) != in_plots) html += in_plots ? "</div>\n" : "<div class=\"plots\">\n";
    in_plots = plot != nullptr;
    if (plot != nullptr) {
      html += plot->SvgElement();
    } else if (const ReportTable* table = std::get_if<ReportTable>(&block)) {
      html += HtmlTable(*table);
    } else {
      const Line& line = std::get<Line>(block);
      const char* tag = line.kind == Line::kHeading ? "h2" : line.kind == Line::kParagraph ? "p" : "pre";
      absl::StrAppend(&html, "<", tag, ">", Escaped(line.text), "</", tag, ">\n");
    }
  }
  return html + (in_plots ? "</div>\n" : "") + "</body></html>\n";
}

std::string Report::Text() const {
  std::string text = absl::StrCat(title_, "\n", std::string(Width(title_), '='), "\n\n");
  for (const auto& block : blocks_) {
    if (const LinePlot* plot = std::get_if<LinePlot>(&block)) {
      text += TextPlot(*plot);
    } else if (const ReportTable* table = std::get_if<ReportTable>(&block)) {
      text += TextTable(*table);
    } else if (const Line& line = std::get<Line>(block); line.kind == Line::kHeading) {
      absl::StrAppend(&text, line.text, "\n", std::string(Width(line.text), '-'), "\n\n");
    } else if (line.kind == Line::kParagraph) {
      text += Wrapped(line.text);
    } else {
      for (absl::string_view row : absl::StrSplit(line.text, '\n')) absl::StrAppend(&text, "    ", row, "\n");
      text += "\n";
    }
  }
  return text;
}

absl::Status Report::Write(Env* env, const std::string& path) const {
  SF_RETURN_IF_ERROR(env->CreateDir(DirName(path)));
  SF_RETURN_IF_ERROR(ReplaceFile(env, path + ".html", Html()));
  return ReplaceFile(env, path + ".txt", Text());
}

}  // namespace staticflow
