#include "graph/shape.h"

#include "gtest/gtest.h"

namespace staticflow {
namespace {

constexpr int64_t kHuge = int64_t{1} << 40;

TEST(ShapeTest, SizesSaturate) {
  EXPECT_EQ(MultiplySizes(kHuge, kHuge), kTooLarge);
  EXPECT_EQ(AddSizes(kTooLarge, 1), kTooLarge);
  EXPECT_EQ(Shape({kHuge, kHuge}).num_elements(), kTooLarge);
  EXPECT_EQ(Shape({kHuge, kHuge, 0}).num_elements(), 0);
  EXPECT_EQ(Shape().num_elements(), 1);
}

TEST(ShapeTest, KnowsWhatIsKnown) {
  EXPECT_EQ(Shape({-1, 784}).ToString(), "[?,784]");
  EXPECT_EQ(Shape::Unknown().ToString(), "<unknown>");
  EXPECT_FALSE(Shape({-1}).IsFullyDefined());
  EXPECT_FALSE(Shape::Unknown().IsFullyDefined());
  EXPECT_TRUE(Shape().IsScalar());
  EXPECT_EQ(Shape({2, 3}).dim(-1), 3);
  EXPECT_EQ(Shape({-7}).dim(0), Shape::kUnknownDim);
}

struct PairCase {
  Shape a, b;
  std::string want;  // "error" for a contradiction
};

TEST(ShapeTest, Merges) {
  const PairCase cases[] = {
      {{-1, 3}, {2, -1}, "[2,3]"},    {{2}, {3}, "error"}, {{2}, {2, 2}, "error"},
      {Shape::Unknown(), {4}, "[4]"}, {{}, {}, "[]"},      {{0}, {-1}, "[0]"},
  };
  for (const PairCase& c : cases) {
    absl::StatusOr<Shape> merged = c.a.MergeWith(c.b);
    EXPECT_EQ(merged.ok() ? merged->ToString() : "error", c.want) << c.a.ToString() << " " << c.b.ToString();
    EXPECT_EQ(c.a.IsCompatibleWith(c.b), c.want != "error");
  }
}

TEST(ShapeTest, Broadcasts) {
  const PairCase cases[] = {
      {{2, 3}, {3}, "[2,3]"}, {{2, 1}, {1, 3}, "[2,3]"},
      {{2}, {3}, "error"},    {{-1}, {3}, "[3]"},
      {{-1}, {1}, "[?]"},     {{-1}, {-1}, "[?]"},
      {{0}, {1}, "[0]"},      {{0}, {2}, "error"},
      {{}, {2, 2}, "[2,2]"},  {Shape::Unknown(), {2}, "<unknown>"},
  };
  for (const PairCase& c : cases) {
    for (bool swap : {false, true}) {
      absl::StatusOr<Shape> shape = swap ? BroadcastShapes(c.b, c.a) : BroadcastShapes(c.a, c.b);
      EXPECT_EQ(shape.ok() ? shape->ToString() : "error", c.want) << c.a.ToString() << " " << c.b.ToString();
    }
  }
}

TEST(ShapeTest, FilesAreChecked) {
  EXPECT_TRUE(Shape::FromFile({-1, 2}).ok());
  EXPECT_FALSE(Shape::FromFile({-2}).ok());
  EXPECT_FALSE(Shape::FromFile(std::vector<int64_t>(255, 1)).ok());
}

TEST(ShapeTest, AxesCountFromTheEnd) {
  EXPECT_EQ(*NormalizeAxis(-1, 3), 2);
  EXPECT_EQ(*NormalizeAxis(0, 3), 0);
  EXPECT_FALSE(NormalizeAxis(3, 3).ok());
  EXPECT_FALSE(NormalizeAxis(-4, 3).ok());
  EXPECT_FALSE(NormalizeAxis(0, 0).ok());
}

}  // namespace
}  // namespace staticflow
