// Reports and the plots in them.
#include "runtime/io/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "runtime/io/line_plot.h"

namespace staticflow {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Report Small() {
  Report report("a < b & c");
  report.Heading("\"One\"");
  report.Paragraph(absl::StrCat(std::string(98, 'x'), " y z"));
  report.Preformatted("run <it>\n  --again");
  report.Table({.caption = "Table", .header = {"name", "n"}, .rows = {{"é<", "9"}, {"long name", "-1,000"}, {"-"}}});
  LinePlot plot({.title = "curves", .subtitle = "two"});
  plot.Add("up", {{0, 0.25}, {10, 0.75}, {20, std::nan("")}, {30, 0.5}});
  plot.Add("none", {{0, INFINITY}});
  report.Plot(plot);
  report.Plot(plot);
  report.Paragraph("end");
  return report;
}

TEST(Report, TextHasTheSameThings) {
  const std::string curves =
      "curves: two\n"
      "  up: 0.2500 at 0, highest 0.7500 at 10, last 0.5000 at 30\n"
      "  none: no values\n\n";
  EXPECT_EQ(Small().Text(), absl::StrCat("a < b & c\n=========\n\n\"One\"\n-----\n\n", std::string(98, 'x'),
                                         " y\nz\n\n    run <it>\n      --again\n\n"
                                         "Table\n\n"
                                         "name            n\n"
                                         "-----------------\n"
                                         "é<              9\n"
                                         "long name  -1,000\n"
                                         "-\n\n",
                                         curves, curves, "end\n\n"));
}

TEST(Report, HtmlIsEscapedAndNeedsNothingElse) {
  const std::string html = Small().Html();
  for (const char* text : {"<!DOCTYPE html>", "<title>a &lt; b &amp; c</title>", "<h2>&quot;One&quot;</h2>",
                           "<pre>run &lt;it&gt;\n  --again</pre>", "<th>name</th><th class=\"n\">n</th>",
                           "<td>é&lt;</td><td class=\"n\">9</td>", "<td>-</td><td class=\"n\"></td>",
                           "prefers-color-scheme:dark", "name=\"viewport\"", "<p>end</p>\n</body></html>\n"}) {
    EXPECT_THAT(html, HasSubstr(text));
  }
  for (const char* text : {"<it>", "href", "src=", "url(", "nan", "inf"}) EXPECT_THAT(html, Not(HasSubstr(text)));
  // Both plots in one row.
  const size_t plots = html.find("<div class=\"plots\">");
  ASSERT_NE(plots, html.npos);
  EXPECT_EQ(html.find("<div class=\"plots\">", plots + 1), html.npos);
  EXPECT_EQ(html, Small().Html());
}

TEST(Report, WritesBothFilesOrSaysWhyNot) {
  const std::string path = testing::TempDir() + "/report_test/report";
  ASSERT_TRUE(Small().Write(PosixEnv(), path).ok());
  EXPECT_EQ(*ReadWholeFile(PosixEnv(), path + ".html"), Small().Html());
  EXPECT_EQ(*ReadWholeFile(PosixEnv(), path + ".txt"), Small().Text());
  EXPECT_FALSE(Small().Write(PosixEnv(), path + ".html/below").ok());
}

TEST(LinePlot, DrawsAxesCurvesAndLegend) {
  LinePlot plot({.title = "a < b & c", .x_label = "steps", .y_label = "accuracy"});
  plot.Add("one", {{0, 0}, {500, 0.5}, {1000, std::nan("")}, {49500, 1}});
  plot.Add("two", {});
  const std::string svg = plot.Svg();
  for (const char* text : {"a &lt; b &amp; c", ">steps<", ">accuracy<", ">one<", ">two<", ">0.0<", ">0.1<", ">1.0<",
                           ">0<", ">5,000<", ">50,000<", "<style>", "</svg>"}) {
    EXPECT_THAT(svg, HasSubstr(text));
  }
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  // A gap, not a line, where a value is missing: two moves in one path.
  const size_t path = svg.find("d=\"M");
  ASSERT_NE(path, svg.npos);
  EXPECT_NE(svg.substr(path + 4, svg.find('"', path + 4) - path - 4).find('M'), std::string::npos);
  EXPECT_EQ(svg, plot.Svg());
  EXPECT_THAT(plot.SvgElement(), Not(HasSubstr("<style>")));
}

TEST(LinePlot, TicksHaveTheDecimalsThatTheyNeed) {
  EXPECT_THAT(LinePlot({.y_max = 0.1, .y_tick = 0.02}).Svg(), HasSubstr(">0.06<"));
  EXPECT_THAT(LinePlot({.y_max = 10, .y_tick = 5}).Svg(), HasSubstr(">5.0<"));
}

TEST(LinePlot, NeedsNoPoints) {
  const std::string svg = LinePlot({.title = "empty"}).Svg();
  EXPECT_THAT(svg, HasSubstr(">empty<"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

}  // namespace
}  // namespace staticflow
